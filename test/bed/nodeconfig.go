// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"sigs.k8s.io/yaml"
)

const (
	goArch = runtime.GOARCH
	// containerdSocket is in the node's own /run.
	containerdSocket = "/run/containerd/containerd.sock"
)

// apiServerArgs are those of the API server of a cluster with a real node: pods find
// it by the Service kubernetes, it finds pods by the addresses in endpoints, and
// kubelets know it by a certificate.
func (n *Node) apiServerArgs(c *Cluster) []string {
	return []string{
		"--advertise-address=" + n.Gateway,
		"--enable-aggregator-routing=true",
		"--kubelet-client-certificate=" + c.file("kubelet-client.crt"),
		"--kubelet-client-key=" + c.file("kubelet-client.key"),
		"--kubelet-preferred-address-types=InternalIP",
	}
}

// nodeFiles are the paths of what a node's programs are told.
type nodeFiles struct {
	containerd, kubelet                string
	kubeletKubeconfig, proxyKubeconfig string
}

func (n *Node) writeConfig(c *Cluster) (*nodeFiles, error) {
	plugins, err := cniPlugins()
	if err != nil {
		return nil, err
	}
	networks := filepath.Join(n.dir, "cni")
	if err := os.MkdirAll(networks, 0o700); err != nil {
		return nil, err
	}
	files := &nodeFiles{
		containerd:        filepath.Join(n.dir, "containerd.toml"),
		kubelet:           filepath.Join(n.dir, "kubelet.yaml"),
		kubeletKubeconfig: filepath.Join(n.dir, "kubelet.kubeconfig"),
		proxyKubeconfig:   filepath.Join(n.dir, "kube-proxy.kubeconfig"),
	}
	kubelet, err := yaml.Marshal(n.kubeletConfig(c))
	if err != nil {
		return nil, err
	}
	kubeletKubeconfig, err := c.UserKubeconfig("system:node:"+n.Name, "system:nodes")
	if err != nil {
		return nil, err
	}
	proxyKubeconfig, err := c.UserKubeconfig("system:kube-proxy")
	if err != nil {
		return nil, err
	}
	for path, content := range map[string][]byte{
		files.containerd:                            fmt.Appendf(nil, containerdConfig, filepath.Join(n.dir, "containerd"), containerdSocket, filepath.Join(n.dir, "opt"), PodImage, plugins, networks),
		files.kubelet:                               kubelet,
		files.kubeletKubeconfig:                     kubeletKubeconfig,
		files.proxyKubeconfig:                       proxyKubeconfig,
		filepath.Join(networks, "10-pods.conflist"): fmt.Appendf(nil, podNetworkConfig, n.podCIDR),
	} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// containerdConfig is of version 2, which containerd 1.6 and later read. Without
// CAP_SYS_RESOURCE, as in many virtual machines, no process may be made less likely
// to be killed when memory runs out.
const containerdConfig = `version = 2
root = %q
state = "/run/containerd"
[grpc]
  address = %q
[plugins."io.containerd.internal.v1.opt"]
  path = %q
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  sandbox_image = %q
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = %q
    conf_dir = %q
`

// podNetworkConfig gives each pod a link of its own to the node. Without a bridge
// everything between pods goes through the packet filter, and so through Services.
const podNetworkConfig = `{"cniVersion": "0.4.0", "name": "pods", "plugins": [{"type": "ptp", "ipMasq": false,
  "ipam": {"type": "host-local", "ranges": [[{"subnet": "%s"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
`

func (n *Node) kubeletConfig(c *Cluster) map[string]any {
	return map[string]any{
		"apiVersion":               "kubelet.config.k8s.io/v1beta1",
		"kind":                     "KubeletConfiguration",
		"address":                  n.address,
		"containerRuntimeEndpoint": "unix://" + containerdSocket,
		"authentication": map[string]any{
			"anonymous": map[string]any{"enabled": false},
			"webhook":   map[string]any{"enabled": true},
			"x509":      map[string]any{"clientCAFile": c.file("ca.crt")},
		},
		"authorization":                 map[string]any{"mode": "Webhook"},
		"clusterDomain":                 "cluster.local",
		"cgroupDriver":                  "cgroupfs",
		"cgroupRoot":                    cgroupOf(n.bed.Name),
		"failCgroupV1":                  false,
		"failSwapOn":                    false,
		"oomScoreAdj":                   0,
		"readOnlyPort":                  0,
		"evictionHard":                  map[string]any{"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
		"imageGCHighThresholdPercent":   100,
		"enforceNodeAllocatable":        []any{},
		"nodeStatusUpdateFrequency":     "5s",
		"localStorageCapacityIsolation": false,
	}
}

// bindProxy gives kube-proxy its rights, as every installer of clusters does.
func (c *Cluster) bindProxy(ctx context.Context) error {
	return c.Apply(ctx, []byte(`
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: bed-kube-proxy}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "system:node-proxier"}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: "system:kube-proxy"}]
`))
}
