package api

import (
	"net/http"
	"slices"
	"strings"
)

// record is the answer with one record and its revision.
type record[T any] struct {
	Status int
	ETag   string `header:"ETag" doc:"The revision of the record, for If-Match and If-None-Match"`
	Body   *T
}

// Conditional is the input of a query that may answer 304.
type Conditional struct {
	IfNoneMatch string `header:"If-None-Match" doc:"The ETag you hold; 304 if the record still stands there"`
}

// single returns the answer with a record. settled means that the values derived from
// the record do not change from day to day; otherwise the same revision may read
// differently tomorrow, and 304 would be wrong.
func single[T any](c Conditional, events uint64, settled bool, body *T) *record[T] {
	return tagged(c, etag(events), settled, body)
}

// singleAt is single for a moment. A past state is always settled.
func singleAt[T any](c Conditional, w moment, events uint64, settled bool, body *T) *record[T] {
	return tagged(c, w.etag(events), settled || !w.at.IsZero(), body)
}

func tagged[T any](c Conditional, tag string, settled bool, body *T) *record[T] {
	if settled && slices.ContainsFunc(strings.Split(c.IfNoneMatch, ","), func(t string) bool {
		t = strings.TrimPrefix(strings.TrimSpace(t), "W/")
		return t == tag || t == "*"
	}) {
		return &record[T]{Status: http.StatusNotModified, ETag: tag}
	}
	return &record[T]{Status: http.StatusOK, ETag: tag, Body: body}
}
