// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// KSITOptions say which KSIT runs on a bed, and how.
type KSITOptions struct {
	// Binary is the path of the program ksit.
	Binary string
	// Artifacts is the directory of the manifests that a host cluster gets, with
	// a directory for each mode: server, and ha for the other commands. Those of
	// workloads are left out: the program runs as a process.
	Artifacts string
	// Command is the program's command, server by default, or apiserver, which
	// needs --etcd-servers among Args. KSIT runs as the service account
	// ksit-COMMAND of the manifests.
	Command string
	// Args are added to the arguments that the bed gives.
	Args []string
	// OwnCertificates has KSIT serve from the Secret ksit-serving of its namespace,
	// instead of with a pair of the bed, which it does not trust then. Somebody
	// has to fill the Secret: KSIT does, when --ca-secret is given. The certificate
	// must be for 127.0.0.1 too, where the bed asks whether KSIT is ready.
	OwnCertificates bool
}

// KSIT is a KSIT that runs as a process and is registered with the host.
type KSIT struct {
	// Process is the program. After Process.Kill or Stop, Start brings it back.
	Process *Process
	// URL is where it serves, without going through the host.
	URL string
	// Cert is its serving certificate; nil when it is KSIT's own.
	Cert *CertFiles
	// Kubeconfig is the path of the kubeconfig that it has for the host.
	Kubeconfig string
	// DataDir holds the etcd of the command server.
	DataDir string
	// Namespace and ServiceAccount are what it runs as on the host.
	Namespace, ServiceAccount string

	host *Cluster
	// manifests are all that the host gets but for apiService.
	manifests  []*unstructured.Unstructured
	apiService *unstructured.Unstructured
	spec       ProcessSpec
}

// serverCommand runs everything in one process.
const serverCommand = "server"

// workloads are the kinds of which nothing is run on the host.
var workloads = []string{"Deployment", "StatefulSet", "DaemonSet", "Job", "PodDisruptionBudget", "HorizontalPodAutoscaler"}

// StartKSIT registers KSIT with the host by the manifests that any host gets,
// starts it as a process with the rights of its service account there and
// nothing more, and returns when the host serves its API.
func (b *Bed) StartKSIT(ctx context.Context, options KSITOptions) (*KSIT, error) {
	k, err := b.PrepareKSIT(ctx, options)
	if err != nil {
		return nil, err
	}
	if err := k.Start(ctx); err != nil {
		return nil, err
	}
	return k, nil
}

// PrepareKSIT does what StartKSIT does on the host and leaves it to the caller
// to Start the process, for KSITs that wait for something at their start.
func (b *Bed) PrepareKSIT(ctx context.Context, options KSITOptions) (*KSIT, error) {
	k, err := b.newKSIT(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("preparing KSIT: %w", err)
	}
	return k, nil
}

func (b *Bed) newKSIT(ctx context.Context, options KSITOptions) (*KSIT, error) {
	command := options.Command
	if command == "" {
		command = serverCommand
	}
	binary, err := filepath.Abs(options.Binary)
	if err != nil {
		return nil, err
	}
	manifests, err := readManifests(manifestsFor(options.Artifacts, command))
	if err != nil {
		return nil, err
	}
	address, err := b.listenAddress()
	if err != nil {
		return nil, err
	}
	k := &KSIT{URL: "https://" + address.String(), host: b.Host}
	if k.manifests, err = k.adapt(manifests, "ksit-"+command); err != nil {
		return nil, err
	}
	if !options.OwnCertificates {
		service, namespace := k.service()
		if k.Cert, err = b.ServingCert(service+"."+namespace+".svc", "localhost", loopback); err != nil {
			return nil, err
		}
	}
	k.pointAPIService(k.manifests, address.port)
	if err := b.Host.ApplyObjects(ctx, k.manifests...); err != nil {
		return nil, err
	}
	kubeconfig, err := b.Host.ServiceAccountKubeconfig(ctx, k.Namespace, k.ServiceAccount)
	if err != nil {
		return nil, err
	}
	// Another one may run as another account on the same bed.
	k.Kubeconfig = filepath.Join(b.Dir, "ksit-"+command+".kubeconfig")
	if err := os.WriteFile(k.Kubeconfig, kubeconfig, 0o600); err != nil {
		return nil, err
	}
	k.DataDir = filepath.Join(b.Dir, "ksit")
	args := []string{
		command,
		"--kubeconfig=" + k.Kubeconfig,
		"--authentication-kubeconfig=" + k.Kubeconfig,
		"--authorization-kubeconfig=" + k.Kubeconfig,
		"--bind-address=" + loopback,
		"--secure-port=" + strconv.Itoa(address.port),
	}
	if options.OwnCertificates {
		args = append(args, "--serving-secret="+k.Namespace+"/"+servingSecret)
	} else {
		args = append(args, "--tls-cert-file="+k.Cert.Cert, "--tls-private-key-file="+k.Cert.Key)
	}
	if command == serverCommand {
		// What an API server alone has not: an etcd of its own, and controllers.
		args = append(args,
			"--data-dir="+k.DataDir,
			"--cache-dir="+filepath.Join(b.Dir, "ksit-cache"),
			"--rewrites-file="+b.RewritesFile)
	}
	k.spec = ProcessSpec{Name: "ksit", Path: binary, Dir: b.Dir, Args: append(args, options.Args...)}
	k.Process = b.NewProcess(k.spec)
	return k, nil
}

// With prepares the same KSIT, on the same data, with more arguments, of which
// the last of a name counts, and more in its environment. It is for the time in
// which the other is stopped, has a log of its own, named for it, and Start
// starts it.
func (k *KSIT) With(name string, args, env []string) *KSIT {
	other := *k
	other.spec.Name = name
	other.spec.Args = slices.Concat(k.spec.Args, args)
	other.spec.Env = append(cleanEnvironment(), env...)
	other.Process = k.host.bed.NewProcess(other.spec)
	return &other
}

// adapt sorts the manifests: the APIService is kept for Start, workloads are
// dropped, and the service account is found.
func (k *KSIT) adapt(manifests []*unstructured.Unstructured, account string) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	var accounts []string
	for _, object := range manifests {
		switch kind := object.GetKind(); {
		case kind == "APIService" && k.apiService != nil:
			return nil, errors.New("there is more than one APIService in the manifests")
		case kind == "APIService":
			k.apiService = object
			continue
		case slices.Contains(workloads, kind):
			continue
		case kind == "ServiceAccount":
			accounts = append(accounts, object.GetName())
			if account == object.GetName() {
				k.Namespace, k.ServiceAccount = object.GetNamespace(), object.GetName()
			}
		}
		objects = append(objects, object)
	}
	if k.apiService == nil {
		return nil, errors.New("there is no APIService in the manifests")
	}
	if k.ServiceAccount == "" {
		return nil, fmt.Errorf("the service account %q is not among those of the manifests: %q", account, accounts)
	}
	return objects, nil
}

// service returns the name and namespace of the Service behind the APIService.
func (k *KSIT) service() (name, namespace string) {
	name, _, _ = unstructured.NestedString(k.apiService.Object, "spec", "service", "name")
	namespace, _, _ = unstructured.NestedString(k.apiService.Object, "spec", "service", "namespace")
	return name, namespace
}

// pointAPIService makes the APIService and its Service lead to a process on
// this machine, and the host verify it by the bed's authority, unless KSIT tells
// it by which.
func (k *KSIT) pointAPIService(objects []*unstructured.Unstructured, port int) {
	spec := k.apiService.Object["spec"].(map[string]any)
	delete(spec, "insecureSkipTLSVerify")
	delete(spec, "caBundle")
	if k.Cert != nil {
		spec["caBundle"] = base64.StdEncoding.EncodeToString(k.Cert.CAPEM)
	}
	spec["service"].(map[string]any)["port"] = int64(port)
	name, namespace := k.service()
	for _, object := range objects {
		if object.GetKind() == "Service" && object.GetName() == name && object.GetNamespace() == namespace {
			object.Object["spec"] = map[string]any{
				"type":         string(corev1.ServiceTypeExternalName),
				"externalName": "localhost",
				"ports":        []any{map[string]any{"name": "https", "protocol": "TCP", "port": int64(port)}},
			}
		}
	}
}

// manifestsFor returns the directory of the mode that a command is a part of.
func manifestsFor(artifacts, command string) string {
	if command == serverCommand {
		return filepath.Join(artifacts, "server")
	}
	return filepath.Join(artifacts, "ha")
}

// readManifests reads all YAML files of a directory, those that must come first
// in front.
func readManifests(dir string) ([]*unstructured.Unstructured, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("there are no manifests in %s", dir)
	}
	var objects []*unstructured.Unstructured
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		parsed, err := ParseObjects(content)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		objects = append(objects, parsed...)
	}
	slices.SortStableFunc(objects, func(a, b *unstructured.Unstructured) int { return rank(a) - rank(b) })
	return objects, nil
}

func rank(object *unstructured.Unstructured) int {
	if object.GetKind() == "Namespace" {
		return 0
	}
	return 1
}

// RegisterTarget makes a target known to KSIT as users do: a Secret with a
// kubeconfig and an IntegrationTarget of the cluster's name. The namespace must
// exist.
func (b *Bed) RegisterTarget(ctx context.Context, namespace string, target *Cluster) error {
	kubeconfig, err := target.UserKubeconfig("ksit", "system:masters")
	if err != nil {
		return err
	}
	return b.RegisterKubeconfig(ctx, namespace, target, kubeconfig)
}

// RegisterKubeconfig is RegisterTarget with a kubeconfig of the caller's, such as
// one that leads through a Relay or whose requests are audited.
func (b *Bed) RegisterKubeconfig(ctx context.Context, namespace string, target *Cluster, kubeconfig []byte) error {
	secret := target.Name + "-kubeconfig"
	return b.Host.ApplyObjects(ctx,
		&unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1",
			"kind":       "Secret",
			"metadata":   map[string]any{"name": secret, "namespace": namespace},
			"stringData": map[string]any{"kubeconfig": string(kubeconfig)},
		}},
		&unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "ksit.io/v1alpha1",
			"kind":       "IntegrationTarget",
			"metadata":   map[string]any{"name": target.Name, "namespace": namespace},
			"spec":       map[string]any{"clusterName": target.Name, "kubeconfigSecret": secret},
		}},
	)
}
