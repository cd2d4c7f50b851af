// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Command kube is the Kubernetes control plane as one program: kube-apiserver,
// kube-controller-manager, kube-scheduler and kubectl. They share nearly all
// of their code, so that one program is linked once and is a third of the size
// of four. Which of them runs is decided by the name that the program is called
// by, as busybox does, or else by its first argument.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	_ "time/tzdata" // CronJob time zones, also where the system has no zone database.

	"github.com/spf13/cobra"
	_ "k8s.io/client-go/plugin/pkg/client/auth"
	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

func main() {
	component := filepath.Base(os.Args[0])
	if !known(component) && len(os.Args) > 1 {
		component = os.Args[1]
		os.Args = os.Args[1:]
	}
	switch component {
	case "kube-apiserver":
		os.Exit(run(apiserver.NewAPIServerCommand))
	case "kube-controller-manager":
		os.Exit(run(controllermanager.NewControllerManagerCommand))
	case "kube-scheduler":
		os.Exit(run(func() *cobra.Command { return scheduler.NewSchedulerCommand() }))
	case "kubectl":
		kubectl()
	default:
		fmt.Fprintf(os.Stderr, "usage: kube {%s} [flags]\n", strings.Join(components, "|"))
		os.Exit(2)
	}
}

var components = []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"}

func known(name string) bool {
	for _, c := range components {
		if c == name {
			return true
		}
	}
	return false
}

func run(command func() *cobra.Command) int {
	return cli.Run(command())
}

// kubectl sets the log level before the command is made, because making it
// already logs, for instance about plug-ins.
func kubectl() {
	_, _ = logs.GlogSetter(cmd.GetLogVerbosity(os.Args)) // A malformed -v is reported when the flags are parsed.
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err)
	}
}
