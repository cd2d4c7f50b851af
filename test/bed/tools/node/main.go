// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Command node is what a real node of a bed consists of beside its container
// runtime, as one program: kubelet and kube-proxy, and what keeps the node apart
// from the machine that it runs on. Which of them runs is decided by the name that
// the program is called by, or else by its first argument. It is apart from
// tools/kube because only a bed with a real node needs it.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

const usage = `usage:
  node kubelet [flags]
  node kube-proxy [flags]
  node init DIR               be the first process of new namespaces, with the node's own directories below DIR
  node link PID HOST NODE NET give the node of that init a link to the machine, with these addresses, and a route to its pods
  node enter PID PROGRAM ...  run a program in the node of that init`

func main() {
	component := filepath.Base(os.Args[0])
	args := os.Args[1:]
	if component != "kubelet" && component != "kube-proxy" && len(args) > 0 {
		component, args = args[0], args[1:]
		os.Args = os.Args[1:] // cobra reads these.
	}
	switch component {
	case "kubelet":
		os.Exit(cli.Run(kubelet.NewKubeletCommand(context.Background())))
	case "kube-proxy":
		os.Exit(cli.Run(proxy.NewProxyCommand()))
	}
	code, err := isolation(component, args)
	if err != nil {
		fmt.Fprintf(os.Stderr, "node %s: %v\n", component, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func isolation(component string, args []string) (int, error) {
	switch {
	case component == "init" && len(args) == 1:
		return 0, beInit(args[0])
	case component == "link" && len(args) == 4:
		return 0, link(args[0], args[1], args[2], args[3])
	case component == "enter" && len(args) >= 2:
		return enter(args[0], args[1], args[2:])
	case component == "become" && len(args) >= 1: // By enter only.
		return 1, become(args[0], args[1:])
	default:
		return 2, fmt.Errorf("%s", usage)
	}
}
