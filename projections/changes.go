package projections

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Change is a difference between two documents.
type Change struct {
	// Path is the path of the value from the root: agreements/A1/term/to. A
	// list member is named by its id or number where all members have one, else
	// by its index. ~1 is / and ~0 is ~, as in RFC 6901.
	Path   string         `json:"path"`
	Before jsontext.Value `json:"before,omitzero"` // absent: the value is new
	After  jsontext.Value `json:"after,omitzero"`  // absent: the value was removed
}

// Changes returns the differences from before to after, in document order. An
// object that was added or removed is one change, a list one change per member.
// An empty document is taken for an object without members. The error names the
// document that is no JSON object.
func Changes(before, after []byte) ([]Change, error) {
	var docs [2]node
	for i, d := range [][]byte{before, after} {
		if len(d) == 0 {
			d = []byte("{}")
		}
		var err error
		if docs[i], err = parseNode(d); err == nil && docs[i].kind != '{' {
			err = fmt.Errorf("it begins with %q", docs[i].kind)
		}
		if err != nil {
			return nil, fmt.Errorf("projections: compare documents: %s is no JSON object: %w",
				[...]string{"the first", "the second"}[i], err)
		}
	}
	return docs[0].changes(nil, nil, docs[1]), nil
}

// node is a JSON value.
type node struct {
	kind  jsontext.Kind
	value jsontext.Value // valid and compact
}

// named is a member of an object, or of a list by its place or its key.
type named struct {
	name string
	node
}

func parseNode(b []byte) (node, error) {
	v := jsontext.Value(b).Clone()
	if err := v.Compact(); err != nil {
		return node{}, err
	}
	// Compact accepts names that come twice and bad UTF-8; this does not.
	_, err := jsontext.NewDecoder(bytes.NewReader(v)).ReadValue()
	return node{v.Kind(), v}, err
}

// parts returns the members of n in order, none where it is no object or list.
// What both documents have alike is never taken apart.
func (n node) parts() (parts []named) {
	if n.kind != '{' && n.kind != '[' {
		return nil
	}
	d := jsontext.NewDecoder(bytes.NewReader(n.value))
	d.ReadToken()
	for d.PeekKind() != n.kind+2 { // the closing bracket: in ASCII it is the opening one plus 2
		name := strconv.Itoa(len(parts))
		if n.kind == '{' {
			t, err := d.ReadToken()
			if err != nil {
				return parts // not reached: n is valid
			}
			name = t.String()
		}
		part, err := d.ReadValue()
		if err != nil {
			return parts // likewise
		}
		parts = append(parts, named{name, node{part.Kind(), part.Clone()}})
	}
	return parts
}

// keys are the paths that can identify the members of a list, the best first.
var keys = []string{"id", "no", "entity/id"}

// byKey names the members of lists by the first key that all of them have and
// that is unique within each list. Without one the names stay.
func byKey(lists ...[]named) {
	for _, k := range keys {
		names, ok := make([][]string, len(lists)), true
		for i, list := range lists {
			seen := map[string]bool{}
			for _, m := range list {
				name := m.at(k)
				ok = ok && name != "" && !seen[name]
				seen[name] = true
				names[i] = append(names[i], name)
			}
		}
		if ok {
			for i, list := range lists {
				for j := range list {
					list[j].name = names[i][j]
				}
			}
			return
		}
	}
}

// at returns the text or number at a path, empty if there is none.
func (n node) at(path string) string {
	first, rest, more := strings.Cut(path, "/")
	parts := n.parts()
	i := index(parts, first)
	if i < 0 || n.kind != '{' {
		return ""
	}
	part := parts[i]
	switch {
	case more:
		return part.at(rest)
	case part.kind == '"':
		b, err := jsontext.AppendUnquote(nil, part.value)
		if err != nil {
			return ""
		}
		return string(b)
	case part.kind == '0':
		return part.value.String()
	}
	return ""
}

func index(parts []named, name string) int {
	return slices.IndexFunc(parts, func(p named) bool { return p.name == name })
}

var escape = strings.NewReplacer("~", "~0", "/", "~1")

// changes appends the differences from n, the value at path, to other.
func (n node) changes(found []Change, path []string, other node) []Change {
	if bytes.Equal(n.value, other.value) {
		return found
	}
	if n.kind != other.kind || n.kind != '{' && n.kind != '[' {
		return append(found, Change{strings.Join(path, "/"), n.value, other.value})
	}
	mine, theirs := n.parts(), other.parts()
	if n.kind == '[' {
		byKey(mine, theirs)
	}
	below := func(name string) []string { return append(slices.Clip(path), escape.Replace(name)) }
	next := 0
	added := func(until int) { // appends the members before until that only other has
		for ; next < until; next++ {
			p := theirs[next]
			if index(mine, p.name) >= 0 {
				continue
			}
			if p.kind == '[' {
				found = nothing.changes(found, below(p.name), p.node)
			} else {
				found = append(found, Change{strings.Join(below(p.name), "/"), nil, p.value})
			}
		}
	}
	for _, p := range mine {
		i := index(theirs, p.name)
		switch {
		case i >= 0:
			added(i)
			found = p.changes(found, below(p.name), theirs[i].node)
		case p.kind == '[':
			found = p.changes(found, below(p.name), nothing)
		default:
			found = append(found, Change{strings.Join(below(p.name), "/"), p.value, nil})
		}
	}
	added(len(theirs))
	return found
}

// nothing is an empty list, compared with a list that is absent.
var nothing = node{kind: '[', value: jsontext.Value("[]")}
