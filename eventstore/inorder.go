package eventstore

import (
	"context"
	"runtime"
	"sync"
)

// OrderedParallel does work on what produce gives, on all cores, and hands it to
// consume in the order in which it was given.
func OrderedParallel[T any](ctx context.Context, produce func(context.Context, func(T) error) error, work, consume func(T) error) error {
	type job struct {
		item T
		done chan error
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ordered, jobs := make(chan job, 16), make(chan job, 16)
	var all sync.WaitGroup
	all.Go(func() {
		defer close(ordered)
		defer close(jobs)
		err := produce(ctx, func(item T) error {
			j := job{item, make(chan error, 1)}
			for _, to := range []chan job{ordered, jobs} {
				select {
				case to <- j:
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
			return nil
		})
		if err != nil {
			cancel(err)
		}
	})
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for j := range jobs {
				j.done <- work(j.item)
			}
		})
	}
	for j := range ordered {
		if context.Cause(ctx) != nil {
			continue
		}
		var err error
		select {
		case err = <-j.done:
		case <-ctx.Done():
			continue
		}
		if err == nil {
			err = consume(j.item)
		}
		if err != nil {
			cancel(err)
		}
	}
	all.Wait()
	return context.Cause(ctx)
}
