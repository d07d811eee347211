// Command etcd: upstream keeps its own main in a module that is not meant to be installed, so the lab has this one.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
