package api

import (
	"context"

	"github.com/jointlab/jointlab/projections"
)

// Page is a page of a list.
type Page[T any] struct {
	Items []T    `json:"items"`
	Total int    `json:"total" doc:"Of all pages, as of now"`
	Next  string `json:"next,omitempty" doc:"The cursor of the next page; absent: this is the last"`
}

type list[T any] struct {
	Link string `header:"Link" doc:"The next page, as rel=next"`
	Body Page[T]
}

// Paging selects a page of a list.
type Paging struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"500" doc:"How many items a page has; 50 unless said"`
	Cursor string `query:"cursor" maxLength:"1000" doc:"What the page before gave as next, with the same filters"`
}

func (p Paging) model() projections.Paging {
	return projections.Paging{Limit: p.Limit, Cursor: p.Cursor}
}

// listed returns a page of the model's rows as one of the API's.
func listed[R, T any](ctx context.Context, p projections.Page[R], err error, item func(R) T) (*list[T], error) {
	if err != nil {
		return nil, err
	}
	l := &list[T]{Body: Page[T]{Total: p.Total, Next: p.Next}}
	for _, row := range p.Items {
		l.Body.Items = append(l.Body.Items, item(row))
	}
	if u := requestOf(ctx).url; u != nil && p.Next != "" {
		q := u.Query()
		q.Set("cursor", p.Next)
		l.Link = "<" + u.Path + "?" + q.Encode() + `>; rel="next"`
	}
	return l, nil
}

// unpaged returns all items as one page.
func unpaged[T any](items []T) *list[T] {
	return &list[T]{Body: Page[T]{Items: items, Total: len(items)}}
}

// convert returns the codes of a query as the domain's type.
func convert[T ~string](codes []string) []T {
	var res []T
	for _, c := range codes {
		res = append(res, T(c))
	}
	return res
}
