// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package bed

import (
	"context"
	"fmt"
	"hash/fnv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

// provisioner is the name under which the bed makes volumes.
const provisioner = "bed.ksit.io/volumes"

// provision does for a cluster with nodes what a cloud does for a cluster: it makes a
// volume for each claim, takes it away when the claim is gone, and gives each
// Service of type LoadBalancer an address. It returns when ctx is done.
func (c *Cluster) provision(ctx context.Context) {
	logger := klog.FromContext(ctx).WithValues("cluster", c.Name)
	client, err := c.Client()
	if err != nil {
		logger.Error(err, "No volumes and load balancers will be provided")
		return
	}
	p := &cloud{client: client, node: c.node}
	factory := informers.NewSharedInformerFactory(client, 0)
	core := factory.Core().V1()
	for informer, handle := range map[cache.SharedIndexInformer]func(context.Context, any) error{
		core.PersistentVolumeClaims().Informer(): p.claimSeen,
		core.PersistentVolumes().Informer():      p.volumeSeen,
		core.Services().Informer():               p.serviceSeen,
	} {
		// Handlers are called one at a time and are short. What goes wrong
		// while an API server is down comes again with the relisting.
		see := func(object any) {
			if err := handleWithRetry(ctx, object, handle); err != nil && ctx.Err() == nil {
				logger.Error(err, "Playing the cloud failed")
			}
		}
		_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    see,
			UpdateFunc: func(_, object any) { see(object) },
		})
		if err != nil {
			logger.Error(err, "No volumes and load balancers will be provided")
			return
		}
	}
	factory.StartWithContext(ctx)
	<-ctx.Done()
	factory.Shutdown()
}

func handleWithRetry(ctx context.Context, object any, handle func(context.Context, any) error) error {
	var err error
	for range 5 {
		if err = handle(ctx, object); err == nil || ctx.Err() != nil {
			return err
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
	return err
}

type cloud struct {
	client kubernetes.Interface
	// node is the real node that holds the volumes; nil where all nodes are played.
	node *Node
}

// claimSeen makes a volume for a claim that has none; the controller manager
// binds the two.
func (p *cloud) claimSeen(ctx context.Context, object any) error {
	claim := object.(*corev1.PersistentVolumeClaim)
	const chosen = "volume.kubernetes.io/storage-provisioner"
	if claim.Annotations[chosen] != provisioner || claim.Spec.VolumeName != "" || claim.DeletionTimestamp != nil {
		return nil
	}
	name := "pvc-" + string(claim.UID)
	volume := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{
			Name:        name,
			Annotations: map[string]string{"pv.kubernetes.io/provisioned-by": provisioner},
		},
		Spec: corev1.PersistentVolumeSpec{
			AccessModes:                   claim.Spec.AccessModes,
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: claim.Spec.Resources.Requests[corev1.ResourceStorage]},
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimDelete,
			PersistentVolumeSource:        corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/bed/" + name}},
			StorageClassName:              *claim.Spec.StorageClassName,
			VolumeMode:                    claim.Spec.VolumeMode,
			ClaimRef: &corev1.ObjectReference{
				APIVersion: "v1", Kind: "PersistentVolumeClaim",
				Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID,
			},
		},
	}
	if p.node != nil {
		if err := p.node.holdVolume(volume); err != nil {
			return fmt.Errorf("making a volume for claim %s/%s: %w", claim.Namespace, claim.Name, err)
		}
	}
	_, err := p.client.CoreV1().PersistentVolumes().Create(ctx, volume, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("making a volume for claim %s/%s: %w", claim.Namespace, claim.Name, err)
	}
	return nil
}

// volumeSeen takes away a volume whose claim is gone.
func (p *cloud) volumeSeen(ctx context.Context, object any) error {
	volume := object.(*corev1.PersistentVolume)
	if volume.Annotations["pv.kubernetes.io/provisioned-by"] != provisioner ||
		volume.Status.Phase != corev1.VolumeReleased || volume.DeletionTimestamp != nil {
		return nil
	}
	err := p.client.CoreV1().PersistentVolumes().Delete(ctx, volume.Name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("deleting volume %s: %w", volume.Name, err)
	}
	return nil
}

// serviceSeen gives a load balancer an address out of a range that is reserved
// for documentation; it leads nowhere.
func (p *cloud) serviceSeen(ctx context.Context, object any) error {
	service := object.(*corev1.Service)
	if service.Spec.Type != corev1.ServiceTypeLoadBalancer || len(service.Status.LoadBalancer.Ingress) > 0 || service.DeletionTimestamp != nil {
		return nil
	}
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(service.UID)) // Never fails.
	service = service.DeepCopy()
	service.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: fmt.Sprintf("203.0.113.%d", 1+sum.Sum32()%254)}}
	_, err := p.client.CoreV1().Services(service.Namespace).UpdateStatus(ctx, service, metav1.UpdateOptions{})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("giving an address to service %s/%s: %w", service.Namespace, service.Name, err)
	}
	return nil
}
