package eventstore

import (
	"context"
	"errors"
	"iter"
)

// Reader is all events of a store, in order, as far as there are any.
type Reader interface {
	// Head returns the position of the last event, 0 where there is none.
	Head(ctx context.Context) (Position, error)

	// Read calls each with the events after a position up to and including to,
	// many at once, and returns when it has.
	Read(ctx context.Context, after, to Position, each func([]Recorded) error) error
}

// Read returns an iterator over the events of r after a position up to and
// including to. A failure is its last pair. An event's bytes are the loop's
// until the next event.
func Read(ctx context.Context, r Reader, after, to Position) iter.Seq2[Recorded, error] {
	return events(func(each func([]Recorded) error) error { return r.Read(ctx, after, to, each) })
}

// Follow returns an iterator over the events of l after a position, and new
// ones as they arrive. Unless the loop breaks off, it ends with the error of
// ctx or of the ledger.
func Follow(ctx context.Context, l Ledger, after Position) iter.Seq2[Recorded, error] {
	return events(func(each func([]Recorded) error) error { return l.Follow(ctx, after, each) })
}

var errBreak = errors.New("eventstore: the loop was left")

func events(run func(each func([]Recorded) error) error) iter.Seq2[Recorded, error] {
	return func(yield func(Recorded, error) bool) {
		err := run(func(batch []Recorded) error {
			for _, e := range batch {
				if !yield(e, nil) {
					return errBreak
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, errBreak) {
			yield(Recorded{}, err)
		}
	}
}
