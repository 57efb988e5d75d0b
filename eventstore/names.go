package eventstore

import "github.com/jointlab/jointlab/domain"

// names gives every event type the name it is stored under. A name once
// released is never changed or reused: a new shape gets a new version.
var names = map[string]domain.Event{}
