// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"ksit.io/ksit/pkg/safeyaml"
)

// MaxKubeconfigSize is the largest kubeconfig that is read, in bytes. A Secret
// cannot hold more.
const MaxKubeconfigSize = 1 << 20

// ParseOptions say what a kubeconfig may hold.
type ParseOptions struct {
	// AllowInsecure admits insecure-skip-tls-verify and servers that speak
	// plain http.
	AllowInsecure bool
}

// Info is what a kubeconfig says of itself, without secrets.
type Info struct {
	// Endpoint is the URL of the API server.
	Endpoint string
	// ExpiresAt is when the client certificate or the bearer token ends, the
	// earlier of the two; zero when neither says. A token's claim is read, not
	// verified.
	ExpiresAt time.Time
}

// ParseKubeconfig reads the cluster and the user of the current context. It
// takes inline data only: whatever would make KSIT run a program, read a file,
// go through a proxy or act as somebody else is refused, because the kubeconfig
// is a tenant's. An entry that the current context does not use may hold
// anything, as nothing is done with it. The error is a *KubeconfigError.
func ParseKubeconfig(data []byte, opts ParseOptions) (*rest.Config, Info, error) {
	if len(data) > MaxKubeconfigSize {
		return nil, Info{}, refuse(ReasonTooLarge, "the kubeconfig is larger than %d bytes", MaxKubeconfigSize)
	}
	if len(strings.TrimSpace(string(data))) == 0 {
		return nil, Info{}, refuse(ReasonInvalid, "the kubeconfig is empty")
	}
	// The parser writes all aliases out.
	if err := safeyaml.Bounded(data); err != nil {
		return nil, Info{}, refuse(ReasonInvalid, "the kubeconfig cannot be read: %s", err)
	}
	kubeconfig, err := clientcmd.Load(data)
	if err != nil {
		return nil, Info{}, refuse(ReasonInvalid, "the kubeconfig cannot be read as YAML or JSON of kind Config%s", line(err))
	}
	cluster, user, err := current(kubeconfig)
	if err != nil {
		return nil, Info{}, err
	}

	config := &rest.Config{}
	if err := readCluster(config, cluster, opts); err != nil {
		return nil, Info{}, err
	}
	if err := readUser(config, user); err != nil {
		return nil, Info{}, err
	}
	return config, Info{Endpoint: config.Host, ExpiresAt: expiry(config)}, nil
}

// current returns the cluster and the user of the current context. Names are
// not repeated in errors: a name in a broken kubeconfig may be anything.
func current(kubeconfig *clientcmdapi.Config) (*clientcmdapi.Cluster, *clientcmdapi.AuthInfo, error) {
	var context *clientcmdapi.Context
	switch {
	case kubeconfig.CurrentContext != "":
		context = kubeconfig.Contexts[kubeconfig.CurrentContext]
		if context == nil {
			return nil, nil, refuse(ReasonInvalid, "the kubeconfig has no context of the name that current-context gives")
		}
	case len(kubeconfig.Contexts) == 1:
		for _, only := range kubeconfig.Contexts {
			context = only
		}
	case len(kubeconfig.Contexts) == 0:
		return nil, nil, refuse(ReasonInvalid, "the kubeconfig has no context")
	default:
		return nil, nil, refuse(ReasonInvalid, "the kubeconfig has %d contexts and no current-context", len(kubeconfig.Contexts))
	}
	if context == nil {
		return nil, nil, refuse(ReasonInvalid, "the kubeconfig's context is empty")
	}
	cluster := kubeconfig.Clusters[context.Cluster]
	if cluster == nil {
		return nil, nil, refuse(ReasonInvalid, "the kubeconfig has no cluster of the name that its context gives")
	}
	user := kubeconfig.AuthInfos[context.AuthInfo]
	if user == nil {
		return nil, nil, refuse(ReasonInvalid, "the kubeconfig has no user of the name that its context gives")
	}
	return cluster, user, nil
}

func readCluster(config *rest.Config, cluster *clientcmdapi.Cluster, opts ParseOptions) error {
	if cluster.CertificateAuthority != "" {
		return refuse(ReasonFileRefused, "the kubeconfig refers to a file in certificate-authority: give certificate-authority-data instead")
	}
	if cluster.ProxyURL != "" {
		return refuse(ReasonProxyRefused, "the kubeconfig names a proxy in proxy-url, which is not accepted")
	}
	if cluster.InsecureSkipTLSVerify && !opts.AllowInsecure {
		return refuse(ReasonInsecureRefused, "the kubeconfig sets insecure-skip-tls-verify: give certificate-authority-data instead")
	}
	if cluster.InsecureSkipTLSVerify && len(cluster.CertificateAuthorityData) > 0 {
		return refuse(ReasonInvalid, "the kubeconfig sets both insecure-skip-tls-verify and certificate-authority-data")
	}
	if len(cluster.CertificateAuthorityData) > 0 && !x509.NewCertPool().AppendCertsFromPEM(cluster.CertificateAuthorityData) {
		return refuse(ReasonCredentialsInvalid, "certificate-authority-data of the kubeconfig holds no certificate in PEM")
	}
	host, err := readServer(cluster.Server, opts)
	if err != nil {
		return err
	}
	config.Host = host
	config.ServerName = cluster.TLSServerName
	config.CAData = cluster.CertificateAuthorityData
	config.Insecure = cluster.InsecureSkipTLSVerify
	config.DisableCompression = cluster.DisableCompression
	return nil
}

// readServer returns the URL of the API server as it is shown and used. A
// path is kept: some servers, such as Rancher's, serve many clusters by path.
func readServer(server string, opts ParseOptions) (string, error) {
	u, err := url.Parse(server)
	switch {
	case err != nil || u.Hostname() == "":
		return "", refuse(ReasonServerRefused, "server of the kubeconfig is not a URL such as https://10.0.0.1:6443")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "", refuse(ReasonServerRefused, "server of the kubeconfig holds more than scheme, host, port and path")
	case u.Scheme == "https", u.Scheme == "http" && opts.AllowInsecure:
		return strings.TrimRight(u.String(), "/"), nil
	default:
		return "", refuse(ReasonServerRefused, "server of the kubeconfig is not an https URL")
	}
}

func readUser(config *rest.Config, user *clientcmdapi.AuthInfo) error {
	switch {
	case user.Exec != nil:
		return refuse(ReasonExecRefused, "the kubeconfig gets its credentials from a program (exec): give a token or a client certificate instead")
	case user.AuthProvider != nil:
		return refuse(ReasonAuthProviderRefused, "the kubeconfig gets its credentials from an auth-provider: give a token or a client certificate instead")
	case user.ClientCertificate != "":
		return refuse(ReasonFileRefused, "the kubeconfig refers to a file in client-certificate: give client-certificate-data instead")
	case user.ClientKey != "":
		return refuse(ReasonFileRefused, "the kubeconfig refers to a file in client-key: give client-key-data instead")
	case user.TokenFile != "":
		return refuse(ReasonFileRefused, "the kubeconfig refers to a file in tokenFile: give token instead")
	case user.Impersonate != "" || user.ImpersonateUID != "" || len(user.ImpersonateGroups) > 0 || len(user.ImpersonateUserExtra) > 0:
		return refuse(ReasonImpersonationRefused, "the kubeconfig asks to act as somebody else (as, as-uid, as-groups or as-user-extra), which is not accepted")
	}

	cert, key := user.ClientCertificateData, user.ClientKeyData
	switch {
	case len(cert) > 0 && len(key) > 0:
		if _, err := tls.X509KeyPair(cert, key); err != nil {
			return refuse(ReasonCredentialsInvalid, "client-certificate-data and client-key-data of the kubeconfig are not a certificate and its key in PEM")
		}
	case len(cert) > 0 || len(key) > 0:
		return refuse(ReasonCredentialsInvalid, "the kubeconfig has only one of client-certificate-data and client-key-data")
	case user.Token == "" && user.Username == "":
		return refuse(ReasonNoCredentials, "the kubeconfig has no credentials: give a token, or client-certificate-data and client-key-data")
	}
	// What is sent in a header must fit into one.
	token := strings.TrimSpace(user.Token)
	if !headerSafe(token, false) {
		return refuse(ReasonCredentialsInvalid, "token of the kubeconfig holds characters that a token cannot have")
	}
	if !headerSafe(user.Username, true) || !headerSafe(user.Password, true) {
		return refuse(ReasonCredentialsInvalid, "username or password of the kubeconfig holds control characters")
	}
	if token == "" && user.Username == "" && len(cert) == 0 {
		return refuse(ReasonNoCredentials, "token of the kubeconfig is blank")
	}
	config.CertData, config.KeyData = cert, key
	config.BearerToken = token
	if token == "" {
		config.Username, config.Password = user.Username, user.Password
	}
	return nil
}

func headerSafe(s string, blanks bool) bool {
	for _, r := range s {
		if r == 0x7f || r < ' ' || !blanks && (r == ' ' || r > 0x7f) {
			return false
		}
	}
	return true
}

var lineNumber = regexp.MustCompile(`\bline (\d{1,7})\b`)

// line is the one thing taken over from a parser's error.
func line(err error) string {
	if m := lineNumber.FindStringSubmatch(err.Error()); m != nil {
		return fmt.Sprintf(" (line %s)", m[1])
	}
	return ""
}
