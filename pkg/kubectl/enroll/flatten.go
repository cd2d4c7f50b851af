// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package enroll makes a cluster a target: it reads and tries a kubeconfig, or
// makes credentials on the cluster, and hands KSIT what it needs and no more.
package enroll

import (
	"fmt"
	"os"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"ksit.io/ksit/pkg/cluster"
)

// Load reads a kubeconfig and returns what belongs to one of its contexts: the
// current one, where no name is given.
func Load(path, context string) (*clientcmdapi.Config, error) {
	config, err := clientcmd.LoadFromFile(path)
	if err != nil {
		// What a parser says may quote what it stumbled over.
		if os.IsNotExist(err) || os.IsPermission(err) {
			return nil, err
		}
		return nil, fmt.Errorf("%s cannot be read as a kubeconfig", path)
	}
	if context != "" {
		if config.Contexts[context] == nil {
			return nil, fmt.Errorf("%s has no context %q", path, context)
		}
		config.CurrentContext = context
	}
	if config.CurrentContext == "" && len(config.Contexts) == 1 {
		for only := range config.Contexts {
			config.CurrentContext = only
		}
	}
	if config.CurrentContext == "" {
		return nil, fmt.Errorf("%s has %d contexts and no current-context: choose one with --context", path, len(config.Contexts))
	}
	// Names are not repeated: in a broken kubeconfig they may be anything.
	if err := clientcmdapi.MinifyConfig(config); err != nil {
		return nil, fmt.Errorf("%s has no cluster or no user of the names that its context gives", path)
	}
	// What it refers to is relative to where it lies.
	if err := clientcmd.ResolveLocalPaths(config); err != nil {
		return nil, fmt.Errorf("resolving the paths of %s: %w", path, err)
	}
	return config, nil
}

// Flatten returns a kubeconfig with the content of the files that it refers to,
// and names that tell nothing of the machine it was made on. It is refused where
// KSIT would refuse it; the error, a *cluster.KubeconfigError, has nothing of
// what is in it.
func Flatten(config *clientcmdapi.Config, options cluster.ParseOptions) ([]byte, cluster.Info, error) {
	flat := config.DeepCopy()
	for _, user := range flat.AuthInfos {
		if user.TokenFile != "" && user.Token == "" {
			token, err := os.ReadFile(user.TokenFile)
			if err != nil {
				return nil, cluster.Info{}, fmt.Errorf("reading the tokenFile of the kubeconfig: %w", err)
			}
			user.Token = strings.TrimSpace(string(token))
		}
		user.TokenFile = ""
	}
	if err := clientcmdapi.FlattenConfig(flat); err != nil {
		return nil, cluster.Info{}, fmt.Errorf("reading the files that the kubeconfig refers to: %w", err)
	}
	data, err := clientcmd.Write(*named(flat))
	if err != nil {
		return nil, cluster.Info{}, fmt.Errorf("writing the kubeconfig: %w", err)
	}
	_, info, err := cluster.ParseKubeconfig(data, options)
	return data, info, err
}

// entryName is that of the cluster, the user and the context of what is stored.
const entryName = "target"

// named renames the entries of a minified kubeconfig. What only kubectl needs,
// such as preferences, stays behind.
func named(config *clientcmdapi.Config) *clientcmdapi.Config {
	out := clientcmdapi.NewConfig()
	out.CurrentContext = entryName
	out.Contexts[entryName] = &clientcmdapi.Context{Cluster: entryName, AuthInfo: entryName}
	for _, c := range config.Clusters {
		out.Clusters[entryName] = c
	}
	for _, u := range config.AuthInfos {
		out.AuthInfos[entryName] = u
	}
	return out
}
