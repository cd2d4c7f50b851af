// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package passage

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Kubeconfig returns a kubeconfig for the API of a target. The user is the one
// that the flags choose of the caller's kubeconfig, as it is there: a program
// that gets credentials is still run when they are needed, and a file is read
// then.
func Kubeconfig(flags *genericclioptions.ConfigFlags, namespace, target string) (*clientcmdapi.Config, error) {
	raw, err := flags.ToRawKubeConfigLoader().RawConfig()
	if err != nil {
		return nil, err
	}
	name := or(flags.Context, raw.CurrentContext)
	context := raw.Contexts[name]
	if context == nil {
		if name == "" {
			return nil, errors.New("there is no kubeconfig with a current context of the host cluster to build on")
		}
		return nil, fmt.Errorf("the kubeconfig has no context %q", name)
	}
	cluster := raw.Clusters[or(flags.ClusterName, context.Cluster)]
	if cluster == nil {
		return nil, fmt.Errorf("the kubeconfig has no cluster %q", or(flags.ClusterName, context.Cluster))
	}
	user := raw.AuthInfos[or(flags.AuthInfoName, context.AuthInfo)]
	if user == nil {
		user = &clientcmdapi.AuthInfo{}
	}
	cluster, user = cluster.DeepCopy(), user.DeepCopy()
	if err := override(flags, cluster, user); err != nil {
		return nil, err
	}
	cluster.Server = Server(cluster.Server, namespace, target)
	cluster.LocationOfOrigin, user.LocationOfOrigin = "", ""

	entry := namespace + "/" + target
	out := clientcmdapi.NewConfig()
	out.CurrentContext = entry
	out.Clusters[entry] = cluster
	out.AuthInfos[entry] = user
	out.Contexts[entry] = &clientcmdapi.Context{Cluster: entry, AuthInfo: entry}
	return out, nil
}

func or(flag *string, otherwise string) string {
	if flag != nil && *flag != "" {
		return *flag
	}
	return otherwise
}

// override applies the flags that change a cluster or a user.
func override(flags *genericclioptions.ConfigFlags, cluster *clientcmdapi.Cluster, user *clientcmdapi.AuthInfo) error {
	cluster.Server = or(flags.APIServer, cluster.Server)
	cluster.ProxyURL = or(flags.ProxyURL, cluster.ProxyURL)
	cluster.TLSServerName = or(flags.TLSServerName, cluster.TLSServerName)
	if flags.Insecure != nil && *flags.Insecure {
		cluster.InsecureSkipTLSVerify = true
		cluster.CertificateAuthority, cluster.CertificateAuthorityData = "", nil
	}
	paths := []struct {
		flag *string
		path *string
		data *[]byte
	}{
		{flags.CAFile, &cluster.CertificateAuthority, &cluster.CertificateAuthorityData},
		{flags.CertFile, &user.ClientCertificate, &user.ClientCertificateData},
		{flags.KeyFile, &user.ClientKey, &user.ClientKeyData},
	}
	for _, p := range paths {
		if p.flag == nil || *p.flag == "" {
			continue
		}
		// What the caller gave is relative to where the caller is now.
		absolute, err := filepath.Abs(*p.flag)
		if err != nil {
			return err
		}
		*p.path, *p.data = absolute, nil
	}
	if token := or(flags.BearerToken, ""); token != "" {
		user.Token, user.TokenFile, user.Exec, user.AuthProvider = token, "", nil, nil
	}
	user.Impersonate = or(flags.Impersonate, user.Impersonate)
	user.ImpersonateUID = or(flags.ImpersonateUID, user.ImpersonateUID)
	if flags.ImpersonateGroup != nil && len(*flags.ImpersonateGroup) > 0 {
		user.ImpersonateGroups = *flags.ImpersonateGroup
	}
	return nil
}

// File is where the kubeconfig of a target is kept for a caller. It is another
// one for another host, user or target.
func File(cache string, config *clientcmdapi.Config, namespace, target string) (string, error) {
	data, err := clientcmd.Write(*config)
	if err != nil {
		return "", fmt.Errorf("writing the kubeconfig: %w", err)
	}
	sum := sha256.Sum256(data)
	return filepath.Join(cache, "kubectl-ksit", "kubeconfigs", fmt.Sprintf("%s.%s.%s", namespace, target, hex.EncodeToString(sum[:6]))), nil
}

// Write stores a kubeconfig where nobody but the user can read it.
func Write(path string, config *clientcmdapi.Config) error {
	data, err := clientcmd.Write(*config)
	if err != nil {
		return fmt.Errorf("writing the kubeconfig: %w", err)
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	// A file that others may read does not become theirs for a moment: it is
	// made anew, and takes the place of the old one when it is whole.
	file, err := os.CreateTemp(dir, ".kubeconfig-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(data)
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return os.Rename(file.Name(), path)
}
