// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"time"
)

// auditedGroup is the group of users whose requests are written down. All others
// cost nothing.
const auditedGroup = "bed:audited"

const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: Metadata, userGroups: ["` + auditedGroup + `"]}
- {level: None}
`

// Request is one request that the API server of a cluster answered.
type Request struct {
	User string
	// As is whom the user acted as; empty where that was nobody else.
	As string
	// Verb is get, list, watch, create, update, patch, delete, … as for RBAC.
	Verb string
	// Resource is the resource with its group and subresource, such as
	// deployments.apps or pods/log; for all else, such as /version, the path.
	Resource  string
	Namespace string
	Name      string
	// DryRun is true for what only asks what a write would do.
	DryRun bool
	Code   int
	Time   time.Time
}

// AuditedKubeconfig returns an administrator's kubeconfig for a user of the given
// name, whose requests AuditedRequests returns.
func (c *Cluster) AuditedKubeconfig(user string) ([]byte, error) {
	return c.UserKubeconfig(user, "system:masters", auditedGroup)
}

// AuditedKubeconfig is Cluster.AuditedKubeconfig by way of the relay.
func (r *Relay) AuditedKubeconfig(user string) ([]byte, error) {
	return r.UserKubeconfig(user, "system:masters", auditedGroup)
}

// AuditedRequests returns the requests of a user that came in from a time on,
// in the order in which they were answered. The API server itself wrote them
// down: nothing stands between it and the client that is looked at. A watch
// counts when it begins.
func (c *Cluster) AuditedRequests(user string, from time.Time) ([]Request, error) {
	data, err := os.ReadFile(c.file(auditLog))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the audit log of %s: %w", c.Name, err)
	}
	var requests []Request
	lines := bufio.NewReader(bytes.NewReader(data))
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return requests, nil // What has no end yet is being written.
		}
		if err != nil {
			return nil, err
		}
		request, counts, err := parseAudit(line)
		if err != nil {
			return nil, fmt.Errorf("reading the audit log of %s: %w", c.Name, err)
		}
		if counts && request.User == user && !request.Time.Before(from) {
			requests = append(requests, request)
		}
	}
}

const (
	auditLog        = "audit.log"
	auditPolicyFile = "audit-policy.yaml"
)

// parseAudit reads an event. It counts unless it is the end of a watch, whose
// beginning counted.
func parseAudit(line []byte) (request Request, counts bool, err error) {
	var event struct {
		Stage      string
		Verb       string
		RequestURI string
		User       struct{ Username string }
		// ImpersonatedUser is absent where the user acted for itself.
		ImpersonatedUser struct{ Username string }
		ObjectRef        *struct{ APIGroup, Resource, Subresource, Namespace, Name string }

		ResponseStatus           struct{ Code int }
		RequestReceivedTimestamp time.Time
	}
	if err := json.Unmarshal(line, &event); err != nil {
		return Request{}, false, err
	}
	request = Request{
		User: event.User.Username,
		As:   event.ImpersonatedUser.Username,
		Verb: event.Verb,
		Code: event.ResponseStatus.Code,
		Time: event.RequestReceivedTimestamp,
	}
	path, query, _ := strings.Cut(event.RequestURI, "?")
	request.Resource = path
	if values, err := url.ParseQuery(query); err == nil {
		request.DryRun = values.Has("dryRun")
	}
	if ref := event.ObjectRef; ref != nil && ref.Resource != "" {
		request.Resource, request.Namespace, request.Name = ref.Resource, ref.Namespace, ref.Name
		if ref.APIGroup != "" {
			request.Resource += "." + ref.APIGroup
		}
		if ref.Subresource != "" {
			request.Resource += "/" + ref.Subresource
		}
	}
	begins, ends := event.Stage == "ResponseStarted", event.Stage == "ResponseComplete" || event.Stage == "Panic"
	// A watch that is refused has no beginning.
	watching := event.Verb == "watch" && request.Code < 300
	return request, (watching && begins) || (!watching && ends), nil
}

// auditArgs have the API server write down the requests of auditedGroup.
func (c *Cluster) auditArgs() ([]string, error) {
	if err := os.WriteFile(c.file(auditPolicyFile), []byte(auditPolicy), 0o600); err != nil {
		return nil, fmt.Errorf("writing the audit policy of %s: %w", c.Name, err)
	}
	return []string{"--audit-policy-file=" + c.file(auditPolicyFile), "--audit-log-path=" + c.file(auditLog)}, nil
}
