// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package enroll

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"

	"ksit.io/ksit/pkg/cluster"
)

// FuzzFlatten makes sure that what is stored is taken by KSIT, refers to no file,
// and that no error has anything of what is in a kubeconfig.
func FuzzFlatten(f *testing.F) {
	const secret = "hunter2hunter2"
	f.Add("apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n"+
		"clusters: [{name: k, cluster: {server: 'https://10.0.0.1'}}]\nusers: [{name: u, user: {token: "+secret+"}}]\n", "")
	f.Add("users: [{name: u, user: {token: "+secret+", exec: {command: x}}}]", "c")
	f.Add("{{{ "+secret, "")
	f.Fuzz(func(t *testing.T, text, context string) {
		// A path might be one that nobody writes to.
		if strings.Contains(text, "/") && !strings.Contains(text, "https://") || len(text) > 1<<16 {
			t.Skip()
		}
		path := filepath.Join(t.TempDir(), "kubeconfig")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		config, err := Load(path, context)
		if err != nil {
			if strings.Contains(err.Error(), secret) && !strings.Contains(context, secret) {
				t.Errorf("the error tells: %v", err)
			}
			return
		}
		for _, user := range config.AuthInfos {
			user.TokenFile, user.ClientCertificate, user.ClientKey = "", "", ""
		}
		for _, c := range config.Clusters {
			c.CertificateAuthority = ""
		}
		data, _, err := Flatten(config, cluster.ParseOptions{})
		if err != nil {
			if cluster.ReasonOf(err) != "" && strings.Contains(err.Error(), secret) {
				t.Errorf("the error tells: %v", err)
			}
			return
		}
		if _, _, err := cluster.ParseKubeconfig(data, cluster.ParseOptions{}); err != nil {
			t.Errorf("KSIT refuses what is stored: %v", err)
		}
		if stored, err := clientcmd.Load(data); err != nil || len(stored.Contexts) != 1 || stored.Contexts[entryName] == nil {
			t.Errorf("stored is %v (%v)", stored, err)
		}
	})
}
