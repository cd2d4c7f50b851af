// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package options

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/resource"
	cliflag "k8s.io/component-base/cli/flag"

	"ksit.io/ksit/pkg/etcd"
)

// minQuotaBytes leaves an empty database room for some thousand objects.
const minQuotaBytes = 16 << 20

// EmbeddedEtcd are the options of the etcd that runs in this process.
type EmbeddedEtcd struct {
	// DataDir holds everything that outlives the process.
	DataDir string
	// Quota is how large the database may grow.
	Quota resource.Quantity
	// UnsafeNoFsync does not wait for the disk.
	UnsafeNoFsync bool
}

// NewEmbeddedEtcd returns the defaults.
func NewEmbeddedEtcd() *EmbeddedEtcd {
	return &EmbeddedEtcd{
		DataDir: "/var/lib/ksit",
		Quota:   *resource.NewQuantity(etcd.DefaultQuotaBytes, resource.BinarySI),
	}
}

// AddFlags adds the flags.
func (o *EmbeddedEtcd) AddFlags(groups *cliflag.NamedFlagSets) {
	fs := groups.FlagSet("embedded etcd")
	fs.StringVar(&o.DataDir, "data-dir", o.DataDir,
		"Directory that holds the data of the embedded etcd, and its socket. It is closed to other users and has one "+
			"owner at a time. Not used with --etcd-servers.")
	fs.Var(&quantityValue{&o.Quota}, "etcd-quota",
		"Size, such as 2Gi, at which the embedded etcd refuses writes. At that point /readyz fails and the metric "+
			"ksit_etcd_alarm is 1 until objects are deleted or the quota is raised.")
	fs.BoolVar(&o.UnsafeNoFsync, "etcd-unsafe-no-fsync", o.UnsafeNoFsync,
		"Do not wait for the disk on writes to the embedded etcd. A crash of the machine then loses data. For throw-away test beds only.")
}

// Validate returns everything that is wrong with the options.
func (o *EmbeddedEtcd) Validate() error {
	var errs []error
	if o.DataDir == "" {
		errs = append(errs, errors.New("--data-dir must be given, or --etcd-servers"))
	}
	if o.Quota.Value() < minQuotaBytes {
		errs = append(errs, fmt.Errorf("--etcd-quota is %s, it must be at least %s",
			o.Quota.String(), resource.NewQuantity(minQuotaBytes, resource.BinarySI)))
	}
	return errors.Join(errs...)
}

// Options turns the flags into the options of the package.
func (o *EmbeddedEtcd) Options(metrics *etcd.Metrics) etcd.Options {
	return etcd.Options{
		Dir:           o.DataDir,
		QuotaBytes:    o.Quota.Value(),
		UnsafeNoFsync: o.UnsafeNoFsync,
		Metrics:       metrics,
	}
}

// quantityValue is a flag that holds a quantity.
type quantityValue struct {
	quantity *resource.Quantity
}

// Set implements pflag.Value.
func (v *quantityValue) Set(text string) error {
	quantity, err := resource.ParseQuantity(text)
	if err != nil {
		return fmt.Errorf("parsing the size %q: %w", text, err)
	}
	*v.quantity = quantity
	return nil
}

// String implements pflag.Value.
func (v *quantityValue) String() string {
	if v.quantity == nil {
		return ""
	}
	return v.quantity.String()
}

// Type implements pflag.Value.
func (*quantityValue) Type() string { return "quantity" }
