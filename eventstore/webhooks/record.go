package webhooks

import (
	"cmp"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/eventstore/jetstream"
)

// record is what holds up one lab's events at one endpoint. It
// holds positions, never events, and is kept in the outbox under
// <endpoint>.<lab> while it holds any.
type record struct {
	Pending  []eventstore.Position `json:"pending,omitempty"` // to be delivered, rising; the first holds up the others
	Attempts int                   `json:"attempts,omitzero"` // made for the first
	Since    time.Time             `json:"since,omitzero"`    // of those attempts
	Next     time.Time             `json:"next,omitzero"`     // not before then
	Last     failed                `json:"last,omitzero"`     // why the last of them failed
	Claim    uuid.UUID             `json:"claim,omitzero"`    // of the worker that delivers them now
	Until    time.Time             `json:"until,omitzero"`    // when the claim is worth nothing any more
	Parked   []parked              `json:"parked,omitempty"`  // given up, rising
}

// failed is why an attempt failed, shortly.
type failed struct {
	Outcome Outcome `json:"outcome"`
	Status  int     `json:"status,omitzero"`
}

// Held returns how many events a record of the outbox holds: that wait, and that were
// given up.
func Held(value []byte) (waiting, givenUp int, err error) {
	r, err := readRecord(jetstream.Entry{Value: value})
	return len(r.Pending), len(r.Parked), err
}

type parked struct {
	Position eventstore.Position `json:"position"`
	Attempts int                 `json:"attempts"`
	At       time.Time           `json:"at"`
	Last     failed              `json:"last"`
}

// maxHeld bounds what is held of one lab at one endpoint, so that a record
// stays far below what can be stored. At that the queue waits.
const maxHeld = 2000

func (r *record) blocked() bool { return len(r.Pending) > 0 }
func (r *record) full() bool    { return len(r.Pending)+len(r.Parked) >= maxHeld }

// add puts an event behind those that wait. It may be there already.
func (r *record) add(p eventstore.Position) {
	if i, there := slices.BinarySearch(r.Pending, p); !there {
		if r.Pending = slices.Insert(r.Pending, i, p); i == 0 {
			r.fresh()
		}
	}
}

// fresh begins with the first event anew.
func (r *record) fresh() { r.Attempts, r.Since, r.Next, r.Last = 0, time.Time{}, time.Time{}, failed{} }

// delivered takes an event out.
func (r *record) delivered(p eventstore.Position) {
	if i, there := slices.BinarySearch(r.Pending, p); there {
		if r.Pending = slices.Delete(r.Pending, i, i+1); i == 0 {
			r.fresh()
		}
	}
}

// failed counts an attempt at the first event that failed, and returns when
// the next one is: wait after now, or never, where it is given up.
func (r *record) failed(now time.Time, why failed, wait, giveUp time.Duration) (next time.Time, givenUp bool) {
	if r.Attempts++; r.Since.IsZero() {
		r.Since = now
	}
	r.Last = why
	if now.Sub(r.Since) < giveUp {
		r.Next = now.Add(wait)
		return r.Next, false
	}
	p := parked{r.Pending[0], r.Attempts, now, why}
	i, there := slices.BinarySearchFunc(r.Parked, p, func(a, b parked) int { return cmp.Compare(a.Position, b.Position) })
	if there {
		r.Parked[i] = p
	} else {
		r.Parked = slices.Insert(r.Parked, i, p)
	}
	r.delivered(p.Position)
	return time.Time{}, true
}

// unpark takes up again what was parked before an instant.
func (r *record) unpark(before time.Time) (any bool) {
	r.Parked = slices.DeleteFunc(r.Parked, func(p parked) bool {
		if !p.At.Before(before) {
			return false
		}
		r.add(p.Position)
		any = true
		return true
	})
	return any
}

// due returns when the record is to be looked after; zero: there is nothing to do.
func (r *record) due(parkedBefore time.Time) time.Time {
	at := time.Time{}
	switch {
	case slices.ContainsFunc(r.Parked, func(p parked) bool { return p.At.Before(parkedBefore) }):
		at = parkedBefore
	case !r.blocked():
		return at
	default:
		at = r.Next
	}
	if r.Claim != uuid.Nil && r.Until.After(at) {
		at = r.Until
	}
	if at.IsZero() {
		at = time.Unix(0, 0)
	}
	return at
}

func readRecord(e jetstream.Entry) (r record, err error) {
	if len(e.Value) > 0 {
		err = json.Unmarshal(e.Value, &r)
	}
	return r, err
}

// value returns the record as it is kept; nothing, where it holds nothing.
func (r *record) value() ([]byte, error) {
	if len(r.Pending) == 0 && len(r.Parked) == 0 {
		return nil, nil
	}
	return json.Marshal(r)
}

// outcomes are the names of outcomes in both languages, for lists.
var outcomes = map[Outcome]domain.Text{
	Delivered: domain.T("已送达", "delivered"), Refused: domain.T("对方拒收", "refused"), Redirected: domain.T("对方要求转址", "redirected"),
	Gone: domain.T("端点已不存在", "gone"), Late: domain.T("超时", "no answer in time"), Unreachable: domain.T("无法连接", "unreachable"),
	Insecure: domain.T("TLS 失败", "TLS failed"), Forbidden: domain.T("地址不允许", "address not allowed"),
}

// Text returns the outcome in both languages.
func (o Outcome) Text() domain.Text { return outcomes[o] }
