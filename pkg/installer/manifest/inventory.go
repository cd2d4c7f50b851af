// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package manifest

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/fluxcd/cli-utils/pkg/object"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/installer"
)

const (
	inventoryPrefix = "ksit-inventory-"
	// labelInventory, on an inventory, is the name of the release.
	labelInventory = "ksit.io/inventory"
	objectsKey     = "objects.json.gz"
	// maxInventoryBytes leaves room within what a ConfigMap may hold.
	maxInventoryBytes = 900 << 10
	// maxInventoryJSON bounds what is unpacked from a ConfigMap that anybody on
	// the target may have written.
	maxInventoryJSON = 16 << 20
)

// inventory is what a release consists of. It is kept in a ConfigMap beside
// the release, whose data is plain text for people except for the list of
// objects.
type inventory struct {
	// Source and Version are shown in the status.
	Source, Version string
	// Digest is that of the objects last applied as a whole; empty before that.
	Digest string
	// Applying is the digest of what is being applied. It stays when the
	// process dies, and tells that Objects names what was there before as well
	// as what shall be.
	Applying string
	// Good is the digest of the last revision whose objects became ready; empty
	// before that.
	Good string
	// Revision counts the applies of different content.
	Revision int64
	// Former are the revisions before the present one that went through, the
	// newest first.
	Former []formerRevision
	// Held is what a rollback by hand holds back; nil once something else is
	// applied.
	Held    *v1alpha1.Hold
	Objects []entry
}

// entry is one object of an inventory.
type entry struct {
	Group     string `json:"g,omitempty"`
	Kind      string `json:"k"`
	Namespace string `json:"ns,omitempty"`
	Name      string `json:"n"`
	// Adopted is true for what was there before KSIT.
	Adopted bool `json:"a,omitempty"`
	// Left is true for a CRD that a rollback left as it was.
	Left bool `json:"l,omitempty"`
}

func (e entry) ref() object.ObjMetadata {
	return object.ObjMetadata{GroupKind: schema.GroupKind{Group: e.Group, Kind: e.Kind}, Namespace: e.Namespace, Name: e.Name}
}

func entryOf(ref object.ObjMetadata, adopted bool) entry {
	return entry{Group: ref.GroupKind.Group, Kind: ref.GroupKind.Kind, Namespace: ref.Namespace, Name: ref.Name, Adopted: adopted}
}

func (v *inventory) refs() object.ObjMetadataSet {
	refs := make(object.ObjMetadataSet, 0, len(v.Objects))
	for _, e := range v.Objects {
		refs = append(refs, e.ref())
	}
	return refs
}

// adopted tells whether the whole release was there before KSIT.
func (v *inventory) adopted() bool {
	var adopted bool
	for _, e := range v.Objects {
		if !e.Adopted && !kept(e.ref().GroupKind) {
			return false
		}
		adopted = adopted || e.Adopted
	}
	return adopted
}

func (r *release) inventoryName() string { return inventoryPrefix + r.name }

// read fills in r.stored and r.configMap, nil when there is no inventory. It
// fails when the inventory is another Integration's.
func (r *release) read(ctx context.Context) error {
	cm, err := r.conn.Kubernetes().CoreV1().ConfigMaps(r.namespace).Get(ctx, r.inventoryName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		r.configMap, r.stored, r.known = nil, nil, true
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the inventory %s/%s: %w", r.namespace, r.inventoryName(), err)
	}
	if owner, found := ownerOf(cm.Labels); r.owner != (installer.Owner{}) && (!found || owner != r.owner) {
		if !found {
			return installer.Terminalf(installer.ReasonReleaseConflict, "the ConfigMap %s/%s, which would be the inventory, is not KSIT's: delete it", r.namespace, cm.Name)
		}
		return installer.Terminalf(installer.ReasonReleaseConflict, "the release %s in namespace %s belongs to the Integration %s", r.name, r.namespace, owner)
	}
	stored, err := decodeInventory(cm)
	if err != nil {
		return installer.Terminalf(installer.ReasonInstallFailed,
			"the inventory %s/%s is damaged (%w): delete it, and KSIT takes up the objects with its labels again", r.namespace, cm.Name, err)
	}
	r.configMap, r.stored, r.known = cm, stored, true
	return nil
}

// write stores an inventory. It fails when somebody else wrote it since it was
// read: then two processes work on one release, and one of them must stop.
func (r *release) write(ctx context.Context, v *inventory) error {
	objects, err := encodeEntries(v.Objects)
	if err != nil {
		return err
	}
	if len(objects) > maxInventoryBytes {
		return installer.Terminalf(installer.ReasonTooLarge, "the inventory of %d objects does not fit into a ConfigMap: split the manifests", len(v.Objects))
	}
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: r.namespace, Name: r.inventoryName()}}
	if r.configMap != nil {
		cm = r.configMap.DeepCopy()
	}
	if cm.Labels == nil {
		cm.Labels = map[string]string{}
	}
	for key, value := range r.labels() {
		cm.Labels[key] = value
	}
	cm.Labels[labelInventory] = r.name
	cm.Data = map[string]string{
		"source":   v.Source,
		"version":  v.Version,
		"digest":   v.Digest,
		"applying": v.Applying,
		"good":     v.Good,
		"revision": strconv.FormatInt(v.Revision, 10),
		"count":    strconv.Itoa(len(v.Objects)),
	}
	if len(v.Former) > 0 {
		former, err := json.Marshal(v.Former)
		if err != nil {
			return fmt.Errorf("writing the former revisions: %w", err)
		}
		cm.Data["former"] = string(former)
	}
	if v.Held != nil {
		held, err := json.Marshal(v.Held)
		if err != nil {
			return fmt.Errorf("writing what is held back: %w", err)
		}
		cm.Data["held"] = string(held)
	}
	cm.BinaryData = map[string][]byte{objectsKey: objects}
	configMaps := r.conn.Kubernetes().CoreV1().ConfigMaps(r.namespace)
	if r.configMap == nil {
		cm, err = configMaps.Create(ctx, cm, metav1.CreateOptions{FieldManager: fieldManager})
	} else {
		cm, err = configMaps.Update(ctx, cm, metav1.UpdateOptions{FieldManager: fieldManager})
	}
	if err != nil {
		var answer apierrors.APIStatus
		if !errors.As(err, &answer) {
			// Without an answer it may have been written. To think so is safe:
			// what is not there needs no uninstalling.
			r.stored = v
		}
		return fmt.Errorf("writing the inventory %s/%s: %w", r.namespace, r.inventoryName(), err)
	}
	r.configMap, r.stored = cm, v
	return nil
}

func encodeEntries(entries []entry) ([]byte, error) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if err := json.NewEncoder(w).Encode(entries); err != nil {
		return nil, fmt.Errorf("packing the inventory: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("packing the inventory: %w", err)
	}
	return packed.Bytes(), nil
}

func decodeInventory(cm *corev1.ConfigMap) (*inventory, error) {
	v := &inventory{
		Source:   cm.Data["source"],
		Version:  cm.Data["version"],
		Digest:   cm.Data["digest"],
		Applying: cm.Data["applying"],
		Good:     cm.Data["good"],
	}
	var err error
	if v.Revision, err = strconv.ParseInt(cm.Data["revision"], 10, 64); err != nil {
		return nil, errors.New("its revision is no number")
	}
	if former := cm.Data["former"]; former != "" {
		// Without them there is less to go back to, and nothing else is lost.
		if json.Unmarshal([]byte(former), &v.Former) != nil || len(v.Former) > maxFormer {
			v.Former = nil
		}
	}
	v.Held = installer.DecodeHold(cm.Data["held"])
	reader, err := gzip.NewReader(bytes.NewReader(cm.BinaryData[objectsKey]))
	if err != nil {
		return nil, errors.New("its list of objects cannot be unpacked")
	}
	data, err := io.ReadAll(io.LimitReader(reader, maxInventoryJSON))
	if err != nil {
		return nil, errors.New("its list of objects cannot be unpacked")
	}
	if err := json.Unmarshal(data, &v.Objects); err != nil {
		return nil, errors.New("its list of objects cannot be read")
	}
	for _, e := range v.Objects {
		if e.Kind == "" || e.Name == "" {
			return nil, errors.New("its list of objects has one without kind or name")
		}
	}
	return v, nil
}

// ownerOf returns the Integration that labels name.
func ownerOf(labels map[string]string) (installer.Owner, bool) {
	owner := installer.Owner{Namespace: labels[v1alpha1.LabelNamespace], Integration: labels[v1alpha1.LabelIntegration]}
	return owner, owner.Namespace != "" && owner.Integration != ""
}
