// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"

	"ksit.io/ksit/hack/image/oci"
	"ksit.io/ksit/test/bed/internal/process"
)

// PodImage is an image that a real node has: the program tools/pods. Without
// arguments it waits, and with the argument serve it serves HTTP on port 8080.
const PodImage = "localhost/ksit-bed/pods:1"

// Node is a real node of the host cluster: containerd, a kubelet and a kube-proxy,
// on which pods really run. It has namespaces of processes, mounts and network of
// its own, so that its packet filter, mounts and containers touch nothing on the
// machine, and end with the first of its processes.
type Node struct {
	Name string
	// Gateway is the address at which pods reach this machine, and so the host's API
	// server. What is to be reached by pods listens on it.
	Gateway string
	// ChartsURL is where pods reach the bed's chart server.
	ChartsURL string

	bed     *Bed
	dir     string
	address string
	podCIDR string
	// init holds the namespaces.
	init       *process.Process
	containerd *process.Process
	kubelet    *process.Process
	proxy      *process.Process
	charts     *http.Server
}

func (b *Bed) newNode() (*Node, error) {
	number, err := b.ports.Number()
	if err != nil {
		return nil, err
	}
	// The network 198.18.0.0/15 is set aside for tests of networks.
	n := &Node{
		Name:    "real-1",
		Gateway: fmt.Sprintf("198.18.%d.1", number),
		bed:     b,
		dir:     filepath.Join(b.Dir, "node"),
		address: fmt.Sprintf("198.18.%d.2", number),
		podCIDR: fmt.Sprintf("198.19.%d.0/24", number),
	}
	n.init = process.New(b.spawner, process.Spec{
		Name: "node/init", Path: b.Tools.Node, Args: []string{"init", n.dir},
		Env: cleanEnvironment(), LogFile: n.log("init"), Isolated: true,
	})
	return n, os.MkdirAll(n.dir, 0o700)
}

func (n *Node) log(program string) string { return filepath.Join(n.dir, program+".log") }

// isolate makes the node's namespaces, the link to it, and the group of all of its
// pods.
func (n *Node) isolate(ctx context.Context) error {
	if err := n.init.Start(); err != nil {
		return err
	}
	ready := func(context.Context) error {
		_, err := os.Stat(filepath.Join(n.dir, "ready"))
		return err
	}
	if err := waitFor(ctx, n.init, 30*time.Second, ready); err != nil {
		return fmt.Errorf("waiting for the namespaces: %w", err)
	}
	const bits = "/30"
	if err := n.run(ctx, "link", n.pid(), n.Gateway+bits, n.address+bits, n.podCIDR); err != nil {
		return err
	}
	if err := n.serveCharts(); err != nil {
		return fmt.Errorf("serving charts to pods: %w", err)
	}
	return makeCgroups(cgroupOf(n.bed.Name))
}

func (n *Node) serveCharts() error {
	address, err := n.bed.listenAddress()
	if err != nil {
		return err
	}
	address.host = n.Gateway
	listener, err := net.Listen("tcp", address.String())
	if err != nil {
		return err
	}
	n.ChartsURL = "http://" + address.String()
	n.charts = &http.Server{Handler: n.bed.Charts.Server, ReadHeaderTimeout: 30 * time.Second}
	n.bed.background.Go(func() { _ = n.charts.Serve(listener) }) // Ends with close.
	return nil
}

func (n *Node) pid() string { return strconv.Itoa(n.init.Pid()) }

// run runs the node's helper on the machine.
func (n *Node) run(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, n.bed.Tools.Node, args...)
	cmd.Env = cleanEnvironment()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("node %s: %w\n%s", args[0], err, out.String())
	}
	return nil
}

// within prepares a program that runs in the node.
func (n *Node) within(name, path string, args ...string) *process.Process {
	return process.New(n.bed.spawner, process.Spec{
		Name:      "node/" + name,
		Path:      n.bed.Tools.Node,
		Args:      append([]string{"enter", n.pid(), path}, args...),
		Env:       cleanEnvironment(),
		Dir:       n.dir,
		LogFile:   n.log(name),
		KeepAlive: true,
	})
}

// join starts what a node runs and returns when it is a ready node of the cluster.
func (n *Node) join(ctx context.Context, c *Cluster) error {
	if err := c.bindProxy(ctx); err != nil {
		return err
	}
	files, err := n.writeConfig(c)
	if err != nil {
		return fmt.Errorf("configuring the node %s: %w", n.Name, err)
	}
	n.containerd = n.within("containerd", "containerd", "--config", files.containerd)
	n.kubelet = n.within("kubelet", n.bed.Tools.Kubelet,
		"--config="+files.kubelet,
		"--kubeconfig="+files.kubeletKubeconfig,
		"--hostname-override="+n.Name,
		"--node-ip="+n.address)
	n.proxy = n.within("kube-proxy", n.bed.Tools.KubeProxy,
		"--kubeconfig="+files.proxyKubeconfig,
		"--hostname-override="+n.Name,
		"--proxy-mode=iptables",
		"--cluster-cidr="+n.podCIDR,
		// These are the machine's to set.
		"--conntrack-max-per-core=0",
		"--conntrack-tcp-timeout-established=0",
		"--conntrack-tcp-timeout-close-wait=0")
	if err := n.containerd.Start(); err != nil {
		return err
	}
	if err := waitFor(ctx, n.containerd, 60*time.Second, func(ctx context.Context) error { return n.ctr(ctx, "version") }); err != nil {
		return fmt.Errorf("waiting for containerd, whose log is %s: %w", n.containerd.LogFile(), err)
	}
	if err := n.loadPodImage(ctx); err != nil {
		return err
	}
	for _, p := range []*process.Process{n.kubelet, n.proxy} {
		if err := p.Start(); err != nil {
			return err
		}
	}
	return c.waitForNodes(ctx)
}

func (n *Node) ctr(ctx context.Context, args ...string) error {
	return n.run(ctx, append([]string{"enter", n.pid(), "ctr", "--address", containerdSocket, "--namespace", "k8s.io"}, args...)...)
}

// LoadImage gives the node the images of an archive, which pods then use by name
// without pulling anything.
func (n *Node) LoadImage(ctx context.Context, archive string) error {
	archive, err := filepath.Abs(archive)
	if err != nil {
		return err
	}
	if err := n.ctr(ctx, "images", "import", archive); err != nil {
		return fmt.Errorf("loading the image %s into the node %s: %w", archive, n.Name, err)
	}
	return nil
}

func (n *Node) loadPodImage(ctx context.Context) error {
	program, err := os.ReadFile(n.bed.Tools.Pods)
	if err != nil {
		return fmt.Errorf("reading the program of pods: %w", err)
	}
	path := filepath.Join(n.dir, "pods.tar")
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = oci.WriteArchive(file, PodImage, []oci.Image{{
		OS: "linux", Architecture: goArch,
		Layers: [][]oci.File{{{Path: "pods", Mode: 0o755, Content: program}}},
		Config: oci.Config{User: "65532:65532", Entrypoint: []string{"/pods"}, Cmd: []string{"pause"}},
	}})
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("making the image of pods: %w", err)
	}
	return n.LoadImage(ctx, path)
}

// holdVolume makes a volume one that the node holds: a directory of its own.
func (n *Node) holdVolume(volume *corev1.PersistentVolume) error {
	dir := filepath.Join(n.dir, "volumes", volume.Name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	volume.Spec.PersistentVolumeSource = corev1.PersistentVolumeSource{Local: &corev1.LocalVolumeSource{Path: dir}}
	volume.Spec.NodeAffinity = &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{
		NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{{
			Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{n.Name},
		}}}},
	}}
	return nil
}

// close ends all of the node at once: with its first process the kernel ends the
// others, and with the last of them the mounts, the link and the packet filter.
// Groups are all that stays, and they are empty then.
func (n *Node) close() error {
	// First, while those who entered are there to see their programs end: the node is
	// not gone before each of its processes has been waited for.
	n.init.Kill()
	for _, p := range []*process.Process{n.proxy, n.kubelet, n.containerd} {
		if p != nil {
			p.Kill()
		}
	}
	var err error
	if n.charts != nil {
		err = n.charts.Close()
	}
	return errors.Join(err, removeCgroups(cgroupOf(n.bed.Name), 10*time.Second))
}
