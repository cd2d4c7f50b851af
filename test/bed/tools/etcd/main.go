// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Command etcd is the etcd server, built from its library: its own main
// package lives in a module that cannot be installed by version.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
