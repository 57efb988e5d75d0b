package storetest

import (
	"time"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/eventstore"
)

// StatusEvents returns the first n events of a lab's stream that only changes its
// status, to and fro.
func StatusEvents(stream eventstore.Stream, n int) []eventstore.Pending {
	on := time.Date(2024, 6, 3, 4, 0, 0, 0, time.UTC)
	statuses := []lab.Status{lab.StatusOperating, lab.StatusSuspended}
	events := make([]eventstore.Pending, n)
	for i := range events {
		moved := lab.Transition{From: statuses[i%2], To: statuses[(i+1)%2], On: domain.DateOf(on)}
		var event domain.Event = lab.Suspended{Transition: moved}
		if moved.To == lab.StatusOperating {
			event = lab.Resumed{Transition: moved}
		}
		var err error
		events[i], err = eventstore.Encode(stream, domain.Meta{
			ID: uuid.New(), Revision: uint64(i), Time: on, Actor: domain.Actor{Subject: "test", Role: domain.Officer}, Command: uuid.New(),
		}, event)
		if err != nil {
			panic(err) // both types have names
		}
	}
	return events
}
