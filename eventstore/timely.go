package eventstore

import (
	"context"
	"sync"
	"time"

	"github.com/jointlab/jointlab/domain"
)

// RefusedError reports that writing is refused for now, that nothing was written,
// and what the operator is to do. It is an ErrUnavailable.
type RefusedError struct{ Why domain.Text }

func (e *RefusedError) Error() string {
	return ErrUnavailable.Error() + ": writing is refused: " + e.Why.English()
}

// Unwrap is ErrUnavailable.
func (e *RefusedError) Unwrap() error { return ErrUnavailable }

// ClockTolerance is how far the recorded time of an event may lie before that of
// an earlier one in the ledger: about what the clocks of several nodes differ.
const ClockTolerance = 5 * time.Second

// ClockGuard is a store that refuses to append while the clock is behind what
// was recorded, as after it was set back, by more than a tolerance. It goes on
// by itself when the clock is right again. What other nodes recorded counts from
// when this node has heard of it, and for as long as it can be read.
type ClockGuard struct {
	Store
	now       func() time.Time
	recorded  func(context.Context) (time.Time, error)
	tolerance time.Duration

	mu     sync.Mutex
	latest time.Time // that was recorded, or at which an append of this process was under way that succeeded
}

// NewClockGuard guards a store. recorded is the latest recorded time in the ledger,
// as far as it is known.
func NewClockGuard(store Store, now func() time.Time, recorded func(context.Context) (time.Time, error), tolerance time.Duration) *ClockGuard {
	return &ClockGuard{Store: store, now: now, recorded: recorded, tolerance: tolerance}
}

// Behind is the *RefusedError that the clock calls for now, or nil.
func (t *ClockGuard) Behind(ctx context.Context) error {
	recorded, err := t.recorded(ctx)
	t.mu.Lock()
	if err == nil && recorded.After(t.latest) {
		t.latest = recorded
	}
	latest := t.latest
	t.mu.Unlock()
	now := t.now()
	if latest.Sub(now) <= t.tolerance {
		return nil
	}
	const form = "2006-01-02T15:04:05Z"
	return &RefusedError{domain.Textf(
		"服务器时钟为 %[1]s，早于账本中最近一次登记的时间 %[2]s；请管理员校准时钟（若出错的是当时的时钟，见 serve --clock-tolerance），校准后自动恢复写入",
		"the clock says %[1]s, which is before what was last recorded, at %[2]s; have the operator set the clock (or, if it was wrong then, see serve --clock-tolerance), and writing goes on by itself",
		now.UTC().Format(form), latest.UTC().Format(form))}
}

// Append refuses, with a *RefusedError and nothing written, while the clock is behind.
func (t *ClockGuard) Append(ctx context.Context, stream Stream, at Version, events []Pending) (Version, error) {
	if err := t.Behind(ctx); err != nil {
		return Version{}, err
	}
	begun := t.now()
	v, err := t.Store.Append(ctx, stream, at, events)
	if err == nil {
		t.mu.Lock()
		if begun.After(t.latest) {
			t.latest = begun
		}
		t.mu.Unlock()
	}
	return v, err
}
