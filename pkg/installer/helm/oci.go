// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"

	"ksit.io/ksit/pkg/fetch"
	"ksit.io/ksit/pkg/installer"
	"ksit.io/ksit/pkg/rewrite"
)

const (
	maxTagPages = 20
	tagsPerPage = 1000
)

// ociRegistry gets charts from OCI registries.
type ociRegistry struct {
	fetch    *fetch.Client
	rewrites *rewrite.Table
	archives *archiveCache
	// allowLocal admits plain HTTP to registries on loopback.
	allowLocal bool
}

// ociRepository is that of one chart in a registry, for one who asks.
type ociRepository struct {
	*remote.Repository
	// location is what it is called in messages.
	location string
	// scope is that of the client.
	scope string
	// access is what was given, shown what of it the registry is shown.
	access, shown *fetch.Access
}

// ociLocation returns oci://host/path/chart, or what stands for it before the
// operator's rewrite.
func ociLocation(ref chartRef) string {
	return strings.TrimSuffix(ref.repository, "/") + "/" + ref.chart
}

// get returns the newest chart of a repository, oci://host/path/chart, that the
// reference admits.
func (o *ociRegistry) get(ctx context.Context, location string, ref chartRef) (archive, error) {
	ctx, cancel := boundedOCI(ctx)
	defer cancel()
	repository, err := o.open(location, ref)
	if err != nil {
		return archive{}, err
	}
	// An exact version is asked for as it is: its tag is its name, and listing
	// tags may take many requests.
	if version, ok := ref.version.exact(); ok {
		found, err := o.pull(ctx, repository, version)
		if err == nil || installer.ReasonOf(err) != installer.ReasonChartNotFound {
			return found, err
		}
	}
	versions, err := repository.versions(ctx)
	if err != nil {
		return archive{}, err
	}
	version, ok := ref.version.pick(versions)
	if !ok {
		return archive{}, installer.Errorf(installer.ReasonChartNotFound, "%s has no version %s; %s",
			repository.location, shorten(ref.version.text, 64), newest(versions))
	}
	return o.pull(ctx, repository, version)
}

// getTagged returns the chart at oci://host/path:tag, as indexes of HTTP
// repositories name some.
func (o *ociRegistry) getTagged(ctx context.Context, location string, ref chartRef, version string) (archive, error) {
	ctx, cancel := boundedOCI(ctx)
	defer cancel()
	location = fetch.Redact(location)
	at := strings.LastIndexByte(location, ':')
	if at <= strings.LastIndexByte(location, '/') {
		return archive{}, installer.Terminalf(installer.ReasonChartInvalid, "the URL of chart %s in its index has no tag", ref.chart)
	}
	repository, err := o.open(location[:at], ref)
	if err != nil {
		return archive{}, err
	}
	found, err := o.pull(ctx, repository, location[at+1:])
	found.version = version
	return found, err
}

// boundedOCI ends what is asked of a registry in time.
func boundedOCI(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, archiveTimeout, fmt.Errorf("not done after %s: %w", archiveTimeout, context.DeadlineExceeded))
}

// open returns the repository that the rewrite table has for a location. What
// it says is followed in the scheme, too: to http:// means plain HTTP.
func (o *ociRegistry) open(location string, ref chartRef) (*ociRepository, error) {
	if err := o.fetch.Permit(location); err != nil {
		return nil, installer.Terminalf(installer.ReasonSourceRefused, "%s: %w", fetch.Redact(location), err)
	}
	target, rewritten := o.rewrites.URL(location)
	u, err := url.Parse(target)
	if err != nil || u.Host == "" {
		return nil, installer.Terminalf(installer.ReasonRepositoryUnreachable, "%s is not the URL of a registry", fetch.Redact(location))
	}
	inner, err := remote.NewRepository(u.Host + u.Path)
	if err != nil {
		return nil, installer.Terminalf(installer.ReasonRepositoryUnreachable, "%s is not the name of a chart in a registry", fetch.Redact(location))
	}
	inner.PlainHTTP = u.Scheme == "http" || o.plain(u.Hostname())
	inner.TagListPageSize = tagsPerPage
	inner.TagListMaxPages = maxTagPages
	inner.ReferrerListMaxPages = 1
	r := &ociRepository{Repository: inner, location: placeOf(o.rewrites, location), access: ref.access}
	if err := o.authenticate(r, ref.repository, rewritten || o.rewrites.Trusted(u)); err != nil {
		return nil, installer.Terminalf(installer.ReasonRepositoryUnreachable, "%s: %w", r.location, err)
	}
	return r, nil
}

// plain tells whether a registry is asked by plain HTTP without a rewrite that
// says so.
func (o *ociRegistry) plain(host string) bool { return o.allowLocal && isLoopback(host) }

// authenticate gives a repository its client. How a registry wants to be
// authenticated with, basic or by a token of a service that it names, is found
// out by oras, which sends a password to both, and neither anywhere else.
func (o *ociRegistry) authenticate(r *ociRepository, named string, trusted bool) error {
	client, err := o.fetch.For(r.access, o.site(named))
	if err != nil {
		return err
	}
	scheme := "https"
	if r.PlainHTTP {
		scheme = "http"
	}
	site := &url.URL{Scheme: scheme, Host: r.Reference.Host()}
	if r.shown, err = client.Credentials(site); err != nil {
		return err
	}
	r.scope = client.Scope()
	own := &auth.Client{Client: client.HTTPClient(site, trusted), Header: http.Header{"User-Agent": {"ksit"}}, Cache: auth.NewCache()}
	if r.shown.HasCredentials() {
		own.Credential = auth.StaticCredential(r.Reference.Host(), auth.Credential{
			Username: r.shown.Username, Password: r.shown.Password, AccessToken: r.shown.Token,
		})
	}
	r.Client = own
	return nil
}

// site returns the URL that a registry answers at.
func (o *ociRegistry) site(repository string) string {
	u, err := url.Parse(repository)
	if err != nil || u.Scheme != "oci" {
		return repository
	}
	u.Scheme = "https"
	if o.plain(u.Hostname()) {
		u.Scheme = "http"
	}
	// As every client does that pulls from there.
	if u.Host == "docker.io" {
		u.Host = "registry-1.docker.io"
	}
	return u.String()
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// versions lists the versions of a chart. A tag cannot hold a plus sign; Helm
// writes an underscore in its place.
func (r *ociRepository) versions(ctx context.Context) ([]string, error) {
	var versions []string
	err := r.Tags(ctx, "", func(tags []string) error {
		for _, tag := range tags {
			versions = append(versions, strings.ReplaceAll(tag, "_", "+"))
		}
		return nil
	})
	if err != nil {
		return nil, r.failed(ctx, err, r.location)
	}
	return versions, nil
}
