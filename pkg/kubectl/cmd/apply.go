// Copyright The KSIT Authors.
// SPDX-License-Identifier: Apache-2.0

package cmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/cli-runtime/pkg/printers"
	"k8s.io/cli-runtime/pkg/resource"

	"ksit.io/ksit/pkg/apis/ksit/v1alpha1"
	"ksit.io/ksit/pkg/kubectl/progress"
)

// fieldManager owns what the plug-in applies.
const fieldManager = "kubectl-ksit"

type applyOptions struct {
	*session
	files   resource.FilenameOptions
	force   bool
	dryRun  bool
	wait    bool
	timeout time.Duration
}

func (s *session) applyCommand() *cobra.Command {
	o := &applyOptions{session: s}
	command := &cobra.Command{
		Use:   "apply -f FILE",
		Short: "Apply Integrations and targets, and wait until they run",
		Long: "Applies the objects of files, of any kind, by server-side apply. With --wait it shows how far each target is and ends when " +
			"every Integration of the files is Running on all of its targets: with the exit code 1 and the reasons when one fails.",
		Example: "  kubectl ksit apply -f web.yaml --wait --timeout 10m\n" +
			"  cat web.yaml | kubectl ksit apply -f -",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error { return o.run(command.Context()) },
	}
	flags := command.Flags()
	flags.StringSliceVarP(&o.files.Filenames, "filename", "f", nil, "The files, directories or URLs that hold the objects; - for the standard input.")
	flags.BoolVarP(&o.files.Recursive, "recursive", "R", false, "Go through the directories of -f with all below them.")
	flags.BoolVar(&o.force, "force-conflicts", false, "Take over fields that others manage.")
	flags.BoolVar(&o.dryRun, "dry-run", false, "Have the server check all, and change nothing.")
	flags.BoolVar(&o.wait, "wait", false, "Wait until the Integrations run.")
	flags.DurationVar(&o.timeout, "timeout", 10*time.Minute, "How long --wait waits.")
	return command
}

func (o *applyOptions) run(ctx context.Context) error {
	switch {
	case len(o.files.Filenames) == 0:
		return errors.New("say what to apply with -f")
	case o.wait && o.dryRun:
		return errors.New("--wait and --dry-run do not go together: there is nothing to wait for")
	case o.timeout <= 0:
		return fmt.Errorf("--timeout is %s, it must be more than 0", o.timeout)
	}
	t, err := o.terminal()
	if err != nil {
		return err
	}
	namespace, explicit, err := o.flags.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return err
	}
	works, err := o.applyAll(o.objects(namespace, explicit))
	if err != nil || !o.wait || len(works) == 0 {
		return err
	}
	client, err := o.ksit()
	if err != nil {
		return err
	}
	return progress.Follow(ctx, client, works, o.timeout, progress.NewReporter(t))
}

// objects reads what -f names.
func (o *applyOptions) objects(namespace string, explicit bool) *resource.Result {
	builder := resource.NewBuilder(o.flags).Unstructured().ContinueOnError().NamespaceParam(namespace).DefaultNamespace().Flatten()
	files := o.files
	files.Filenames = nil
	for _, name := range o.files.Filenames {
		if name == "-" {
			builder.Stream(o.In, "the standard input")
		} else {
			files.Filenames = append(files.Filenames, name)
		}
	}
	if len(files.Filenames) > 0 {
		builder.FilenameParam(explicit, &files)
	} else if explicit {
		builder.RequireNamespace()
	}
	return builder.Do()
}

// applyAll applies the objects, and returns what there is to wait for.
func (o *applyOptions) applyAll(result *resource.Result) ([]progress.Work, error) {
	if err := result.Err(); err != nil {
		return nil, err
	}
	var works []progress.Work
	applied := 0
	err := result.Visit(func(info *resource.Info, err error) error {
		if err != nil {
			return err
		}
		if err := o.apply(info); err != nil {
			return err
		}
		applied++
		if info.Mapping.GroupVersionKind.GroupKind() == v1alpha1.SchemeGroupVersion.WithKind("Integration").GroupKind() {
			accessor, err := meta.Accessor(info.Object)
			if err != nil {
				return err
			}
			works = append(works, progress.Work{
				NamespacedName: types.NamespacedName{Namespace: info.Namespace, Name: info.Name},
				Judge:          progress.UntilRunning(accessor.GetGeneration()),
			})
		}
		return nil
	})
	if err == nil && applied == 0 {
		err = errors.New("no objects passed to apply")
	}
	return works, err
}

func (o *applyOptions) apply(info *resource.Info) error {
	if accessor, err := meta.Accessor(info.Object); err == nil {
		// An object that was read from a cluster brings them along; the server
		// refuses them.
		accessor.SetManagedFields(nil)
	}
	data, err := runtime.Encode(unstructured.UnstructuredJSONScheme, info.Object)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", info.ObjectName(), err)
	}
	helper := resource.NewHelper(info.Client, info.Mapping).DryRun(o.dryRun).WithFieldManager(fieldManager).WithFieldValidation(metav1.FieldValidationStrict)
	object, err := helper.Patch(info.Namespace, info.Name, types.ApplyPatchType, data, &metav1.PatchOptions{Force: &o.force})
	if err != nil {
		return err
	}
	if err := info.Refresh(object, true); err != nil {
		return err
	}
	operation := "serverside-applied"
	if o.dryRun {
		operation += " (server dry run)"
	}
	return (&printers.NamePrinter{Operation: operation}).PrintObj(info.Object, o.Out)
}
