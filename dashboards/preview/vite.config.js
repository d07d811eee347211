export default {
  build: { outDir: process.env.PREVIEW_OUT, emptyOutDir: true, chunkSizeWarningLimit: 1e5, reportCompressedSize: false, minify: false },
  esbuild: { jsx: 'automatic' },
  define: { 'process.env.NODE_ENV': '"production"' },
  logLevel: 'error',
};
