// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// ControllerManager prepares a controller manager of KSIT, which its Start
// starts: a process of its own beside an API server that StartKSIT started with
// the command apiserver. It has the rights of its service account, and finds
// KSIT's API through the host. One that ends by itself, because it lost its Lease,
// is started again. Names tell replicas apart.
func (b *Bed) ControllerManager(ctx context.Context, name string, options KSITOptions) (*Process, error) {
	const command = "controller-manager"
	binary, err := filepath.Abs(options.Binary)
	if err != nil {
		return nil, err
	}
	manifests, err := readManifests(manifestsFor(options.Artifacts, command))
	if err != nil {
		return nil, err
	}
	var account KSIT
	if _, err := account.adapt(manifests, "ksit-"+command); err != nil {
		return nil, err
	}
	kubeconfig, err := b.Host.ServiceAccountKubeconfig(ctx, account.Namespace, account.ServiceAccount)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(b.Dir, name+".kubeconfig")
	if err := os.WriteFile(path, kubeconfig, 0o600); err != nil {
		return nil, fmt.Errorf("writing the kubeconfig of %s: %w", name, err)
	}
	metrics, err := b.listenAddress()
	if err != nil {
		return nil, err
	}
	return b.NewProcess(ProcessSpec{
		Name:      name,
		Path:      binary,
		Dir:       b.Dir,
		KeepAlive: true,
		Args: append([]string{
			command,
			"--kubeconfig=" + path,
			"--metrics-bind-address=" + metrics.String(),
			"--cache-dir=" + filepath.Join(b.Dir, name+"-cache"),
			"--rewrites-file=" + b.RewritesFile,
		}, options.Args...),
	}), nil
}
