package eventstore

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/jointlab/jointlab/domain"
)

// dated says which member of an event's data is the day it happened in the
// world, for types that have no member "on". An empty one says that the event
// has no such day: it says what is talked about, or known, and not since when;
// a deadline or the day of a baseline is no day on which something happened.
var dated = map[string]string{
	"entity.registered.v1":              "established",
	"entity.name-added.v1":              "name.valid.from",
	"entity.identifier-asserted.v1":     "",
	"entity.identifier-corroborated.v1": "",
	"entity.identifier-withdrawn.v1":    "",
	"entity.corrected.v1":               "", // counts as the event it restates

	"programme.registered.v1":                 "",
	"programme.policy-adopted.v1":             "effective.from",
	"programme.call-opened.v1":                "window.from",
	"programme.indicator-system-published.v1": "effective.from",
	"programme.corrected.v1":                  "",

	"key.issued.v1":    recorded, // what is done to a key is done by recording it
	"key.revoked.v1":   recorded,
	"person.erased.v1": recorded,

	"webhook.registered.v1":     recorded, // what is done to an endpoint is done by recording it
	"webhook.changed.v1":        recorded,
	"webhook.paused.v1":         recorded,
	"webhook.resumed.v1":        recorded,
	"webhook.secret-rotated.v1": recorded,
	"webhook.replayed.v1":       recorded,
	"webhook.disabled.v1":       recorded,
	"webhook.removed.v1":        recorded,

	"lab.record.proposed.v1":                  recorded, // to be proposed is to be on record
	"lab.record.renamed.v1":                   "name.valid.from",
	"lab.record.corrected.v1":                 "",
	"lab.record.discipline-set.v1":            "",
	"lab.record.platform-linked.v1":           "",
	"lab.record.partner-named.v1":             "",
	"lab.record.task-assigned.v1":             "",
	"lab.record.member-appointed.v1":          "term.from",
	"lab.record.training-programme-opened.v1": "runs.from",
	"lab.record.visit-recorded.v1":            "stay.from",
	"lab.record.supervisors-paired.v1":        "from",
	"lab.record.objective-set.v1":             "",
	"lab.record.direction-set.v1":             "valid.from",
	"lab.record.project-linked.v1":            "runs.from",

	"lab.agreement.drafted.v1":            "",
	"lab.agreement.classified.v1":         "",
	"lab.agreement.signed.v1":             "signature.on",
	"lab.agreement.amendment-proposed.v1": "",
	"lab.agreement.amendment-signed.v1":   "signature.on",

	"lab.rights.added.v1":   "",
	"lab.rights.amended.v1": "",

	"lab.funding.pledged.v1":   "",
	"lab.funding.amended.v1":   "",
	"lab.funding.scheduled.v1": "",
	"lab.funding.received.v1":  "contribution.on",
	"lab.funding.returned.v1":  "contribution.on",

	"lab.review.affiliation-recorded.v1": "",
	"lab.review.stage-goal-set.v1":       "",
}

// recorded stands for the day in China on which the register recorded an event.
const recorded = "(recorded)"

// worldDate is where an event type keeps the day it happened in the world.
type worldDate struct {
	member string
	field  []int
}

// worldDateOf finds the member that dates a type; the error says that nobody
// has decided which it is.
func worldDateOf(name string, t reflect.Type) (worldDate, error) {
	member, decided := dated[name]
	if !decided {
		member = "on"
	}
	if member == "" || member == recorded {
		return worldDate{member: member}, nil
	}
	w := worldDate{member: member}
	for part := range strings.SplitSeq(member, ".") {
		found := false
		for _, f := range reflect.VisibleFields(t) {
			if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag == part && !found {
				w.field, t, found = append(w.field, f.Index...), f.Type, true
			}
		}
		if !found {
			return w, fmt.Errorf("eventstore: %s has no member %q to date it by; say in worlddate.go which member does, or that none does", name, member)
		}
	}
	if t != reflect.TypeFor[domain.Date]() && t != reflect.TypeFor[domain.PartialDate]() {
		return w, fmt.Errorf("eventstore: %s: its member %q is no date", name, member)
	}
	return w, nil
}

// HappenedOn is the day an event happened in the world: for a date known to
// the month or year only, the earliest it can mean. It is zero where the event
// has none. Of a correction ask for the event it restates.
func HappenedOn(event domain.Event, m domain.Meta) domain.Date {
	w := codec.dates[reflect.TypeOf(event)]
	switch {
	case w.member == recorded:
		return domain.DateOf(m.Time)
	case w.field == nil:
		return domain.Date{}
	}
	switch d := reflect.ValueOf(event).FieldByIndex(w.field).Interface().(type) {
	case domain.Date:
		return d
	case domain.PartialDate:
		return d.Earliest()
	}
	panic("unreachable: worldDateOf admits nothing else")
}

// Days is how a history, as its corrections leave it, lies in the world: the
// day from which on each event counts, zero where it counts on every day. The
// first event founds the aggregate, so it counts from the first day on which
// anything is known to have happened to it; before that day there is nothing.
func Days[E domain.Event](effective []domain.RecordedEvent[E]) []domain.Date {
	days := make([]domain.Date, len(effective))
	for i, h := range effective {
		days[i] = HappenedOn(h.Event, h.Meta)
		if d := days[i]; i > 0 && !d.IsZero() && d.Before(days[0]) {
			days[0] = d
		}
	}
	return days
}

// EffectiveOn is what of a history, as its corrections leave it, had happened in the
// world by the end of a day: empty where the aggregate was not there yet. A
// zero day keeps everything.
func EffectiveOn[E domain.Event](effective []domain.RecordedEvent[E], day domain.Date) []domain.RecordedEvent[E] {
	if day.IsZero() {
		return effective
	}
	var counts []domain.RecordedEvent[E]
	days := Days(effective)
	for i, h := range effective {
		if days[0].After(day) {
			break
		}
		if !days[i].After(day) {
			counts = append(counts, h)
		}
	}
	return counts
}
