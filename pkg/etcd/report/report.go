// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

// Package report says how an etcd is, and what KSIT keeps in it.
package report

import (
	"context"
	"fmt"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"

	"ksit.io/ksit/pkg/etcd/endpoint"
	"ksit.io/ksit/pkg/etcd/migrate"
)

// Report is how an etcd is.
type Report struct {
	// Members are those that the client was told of.
	Members []Member `json:"members"`
	// Alarms are on until somebody takes them back: writes are refused.
	Alarms []string `json:"alarms"`
	// Revision is the last one.
	Revision int64 `json:"revision"`
	// Prefix is where all keys begin.
	Prefix string `json:"prefix"`
	// Resources has the number of objects of each.
	Resources []Resource `json:"resources"`
	// Unfinished is whether a migration into it did not come to its end.
	Unfinished bool `json:"unfinishedMigration"`
}

// Member is one process of an etcd.
type Member struct {
	Endpoint string `json:"endpoint"`
	Name     string `json:"name,omitempty"`
	Version  string `json:"version,omitempty"`
	Leader   bool   `json:"leader"`
	Learner  bool   `json:"learner"`
	// SizeBytes is the size of the database, InUseBytes how much of it holds data,
	// QuotaBytes where writes are refused; 0 if the member does not say.
	SizeBytes  int64 `json:"sizeBytes"`
	InUseBytes int64 `json:"inUseBytes"`
	QuotaBytes int64 `json:"quotaBytes"`
	// Error is why it did not answer.
	Error string `json:"error,omitempty"`
}

// Resource is how many objects there are of one.
type Resource struct {
	Name  string `json:"name"`
	Count int64  `json:"count"`
}

// Make asks all members. One that does not answer is in the report; without a
// leader there is none.
func Make(ctx context.Context, client *clientv3.Client, prefix string) (*Report, error) {
	if _, err := endpoint.Healthy(ctx, client); err != nil {
		return nil, err
	}
	r := &Report{Prefix: prefix, Alarms: []string{}, Resources: []Resource{}}
	names := map[uint64]string{}
	list, err := client.MemberList(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking for the members: %w", err)
	}
	for _, member := range list.Members {
		names[member.ID] = member.Name
	}
	for _, url := range client.Endpoints() {
		r.Members = append(r.Members, ask(ctx, client, url, names))
	}
	alarms, err := client.AlarmList(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking for alarms: %w", err)
	}
	for _, alarm := range alarms.Alarms {
		r.Alarms = append(r.Alarms, fmt.Sprintf("%s of %s", alarm.Alarm, names[alarm.MemberID]))
	}
	if r.Unfinished, err = migrate.Unfinished(ctx, client, prefix); err != nil {
		return nil, err
	}
	return r, r.count(ctx, client)
}

func ask(ctx context.Context, client *clientv3.Client, url string, names map[uint64]string) Member {
	status, err := endpoint.Status(ctx, client, url)
	if err != nil {
		return Member{Endpoint: url, Error: err.Error()}
	}
	id := status.Header.MemberId
	return Member{
		Endpoint:   url,
		Name:       names[id],
		Version:    status.Version,
		Leader:     status.Leader == id,
		Learner:    status.IsLearner,
		SizeBytes:  status.DbSize,
		InUseBytes: status.DbSizeInUse,
		QuotaBytes: status.DbSizeQuota,
	}
}

// count counts the objects of each resource, without reading them.
func (r *Report) count(ctx context.Context, client *clientv3.Client) error {
	start := migrate.Keys(r.Prefix)
	end := clientv3.GetPrefixRangeEnd(start)
	for next := start; ; {
		first, err := client.Get(ctx, next, clientv3.WithRange(end), clientv3.WithLimit(1), clientv3.WithKeysOnly())
		if err != nil {
			return fmt.Errorf("counting objects: %w", err)
		}
		r.Revision = first.Header.Revision
		if len(first.Kvs) == 0 {
			return nil
		}
		name, _, _ := strings.Cut(string(first.Kvs[0].Key[len(start):]), "/")
		all, err := client.Get(ctx, start+name+"/", clientv3.WithPrefix(), clientv3.WithCountOnly())
		if err != nil {
			return fmt.Errorf("counting %s: %w", name, err)
		}
		r.Resources = append(r.Resources, Resource{Name: name, Count: all.Count})
		next = clientv3.GetPrefixRangeEnd(start + name + "/")
	}
}
