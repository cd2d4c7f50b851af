// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package enroll

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ksit.io/ksit/pkg/cluster"
)

// tryTimeout bounds the trial of a connection.
const tryTimeout = 30 * time.Second

// Try connects with a kubeconfig as KSIT will, and asks what KSIT asks. The
// report is complete also where the error says that KSIT could not install.
func Try(ctx context.Context, kubeconfig []byte, options cluster.Options) (cluster.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	connections := cluster.NewSet(options)
	defer connections.Close()
	connection, err := connections.Connect(ctx, types.NamespacedName{Name: entryName}, kubeconfig)
	if err != nil {
		return cluster.Report{}, err
	}
	report := connection.Probe(ctx)
	var problems []error
	for _, finding := range []cluster.Finding{report.Reachable, report.CredentialsValid, report.Authorized} {
		if finding.Status == metav1.ConditionFalse {
			problems = append(problems, fmt.Errorf("%s: %s", finding.Reason, finding.Message))
		}
	}
	if len(problems) == 0 && !report.Healthy() {
		problems = append(problems, errors.New("the target did not answer all that was asked"))
	}
	return report, errors.Join(problems...)
}
