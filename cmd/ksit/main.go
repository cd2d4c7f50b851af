// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Command ksit runs KSIT, or a part of it.
package main

import (
	"os"

	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/component-base/cli"

	"ksit.io/ksit/pkg/cmd"
)

func main() {
	root := cmd.NewCommand()
	root.SetContext(genericapiserver.SetupSignalContext())
	os.Exit(cli.Run(root))
}
