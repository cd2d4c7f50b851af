// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/version"
)

// versions are those of all that takes part.
type versions struct {
	Client     version.Info `json:"clientVersion"`
	Server     string       `json:"serverVersion,omitempty"`
	Kubernetes string       `json:"hostVersion,omitempty"`
	// Missing are the commands that the server cannot serve.
	Missing []string `json:"missingCommands,omitempty"`
}

func (s *session) versionCommand() *cobra.Command {
	var output string
	var client bool
	command := &cobra.Command{
		Use:   "version",
		Short: "Print the versions of the plug-in and of KSIT",
		Long:  "Prints the versions of the plug-in, of KSIT and of the host cluster, and which commands this KSIT is too old for.",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := checkOutput(output, outputJSON, outputYAML); err != nil {
				return err
			}
			return s.version(command.Context(), output, client)
		},
	}
	command.Flags().StringVarP(&output, "output", "o", "", "json or yaml, instead of lines.")
	command.Flags().BoolVar(&client, "client", false, "Only the version of the plug-in; no server is asked.")
	return command
}

func (s *session) version(ctx context.Context, output string, clientOnly bool) error {
	v := versions{Client: version.Get()}
	var failure error
	if !clientOnly {
		failure = s.askVersions(ctx, &v)
	}
	if err := s.printVersions(v, output, clientOnly || failure != nil); err != nil {
		return err
	}
	return failure
}

func (s *session) printVersions(v versions, output string, clientOnly bool) error {
	switch output {
	case outputJSON:
		encoder := json.NewEncoder(s.Out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(v)
	case outputYAML:
		data, err := yaml.Marshal(v)
		if err != nil {
			return err
		}
		_, err = s.Out.Write(data)
		return err
	}
	s.say("Client Version: %s", v.Client.GitVersion)
	if clientOnly {
		return nil
	}
	s.say("Server Version: %s", cmp.Or(v.Server, "unknown"))
	s.say("Host Version: %s", cmp.Or(v.Kubernetes, "unknown"))
	if len(v.Missing) > 0 {
		s.warn("this KSIT does not serve what these commands need: %s; upgrade it", strings.Join(v.Missing, ", "))
	}
	return nil
}

// needs are the resources that commands need beside those that every KSIT has.
func needs() map[string]string {
	return map[string]string{
		"installations/diff": "diff", "installations/history": "history", "installations/rollback": "rollback",
		"installations/health": "health", "installations/manifest": "manifest", "installations/log": "logs",
		"integrations/reconcile": "reconcile", "integrationtargets/proxy": "proxy, kubeconfig",
	}
}

func (s *session) askVersions(ctx context.Context, v *versions) error {
	config, err := s.config()
	if err != nil {
		return err
	}
	config = rest.CopyConfig(config)
	var said versionHeader
	config.Wrap(said.listen)
	host, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	client := host.Discovery()
	info, err := client.ServerVersion()
	if err != nil {
		return err
	}
	v.Kubernetes = info.GitVersion
	resources, err := client.ServerResourcesForGroupVersion(v1alpha1.SchemeGroupVersion.String())
	if err != nil {
		return err
	}
	missing := needs()
	for _, r := range resources.APIResources {
		delete(missing, r.Name)
	}
	for _, commands := range missing {
		v.Missing = append(v.Missing, commands)
	}
	slices.Sort(v.Missing)
	if v.Server = said.version; v.Server == "" {
		v.Server = serverVersion(ctx, client)
	}
	return nil
}

// versionHeader is what KSIT says of its version in the answers of its own.
type versionHeader struct{ version string }

func (h *versionHeader) listen(next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(request *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(request)
		if err == nil && response.Header.Get(version.Header) != "" {
			h.version = response.Header.Get(version.Header)
		}
		return response, err
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

// serverVersion is what the document of the API of an older KSIT calls itself; empty where it
// cannot be read, which is no reason to fail.
func serverVersion(ctx context.Context, client discovery.DiscoveryInterface) string {
	data, err := client.RESTClient().Get().AbsPath("/openapi/v3/apis", v1alpha1.GroupName, v1alpha1.SchemeGroupVersion.Version).
		SetHeader("Accept", "application/json").DoRaw(ctx)
	if err != nil {
		return ""
	}
	var document struct {
		Info struct {
			Version string `json:"version"`
		} `json:"info"`
	}
	if json.Unmarshal(data, &document) != nil {
		return ""
	}
	return document.Info.Version
}
