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

// node is a JSON value and its members, in order.
type node struct {
	kind  jsontext.Kind
	value jsontext.Value
	parts []named
}

type named struct {
	name string
	node
}

func parseNode(b []byte) (node, error) {
	v := jsontext.Value(b).Clone()
	if err := v.Compact(); err != nil {
		return node{}, err
	}
	return parse(v)
}

// parse returns the node of a well-formed value.
func parse(v jsontext.Value) (node, error) {
	n := node{kind: v.Kind(), value: v}
	if n.kind != '{' && n.kind != '[' {
		return n, nil
	}
	d := jsontext.NewDecoder(bytes.NewReader(v))
	if _, err := d.ReadToken(); err != nil {
		return n, err
	}
	for d.PeekKind() != n.kind+2 { // the closing bracket: in ASCII it is the opening one plus 2
		name := strconv.Itoa(len(n.parts))
		if n.kind == '{' {
			t, err := d.ReadToken()
			if err != nil {
				return n, err
			}
			name = t.String()
		}
		part, err := d.ReadValue()
		if err != nil {
			return n, err
		}
		child, err := parse(part.Clone())
		if err != nil {
			return n, err
		}
		n.parts = append(n.parts, named{name, child})
	}
	return n, nil
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
	i := n.index(first)
	if i < 0 || n.kind != '{' {
		return ""
	}
	part := n.parts[i]
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

func (n node) index(name string) int {
	return slices.IndexFunc(n.parts, func(p named) bool { return p.name == name })
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
	if n.kind == '[' {
		byKey(n.parts, other.parts)
	}
	below := func(name string) []string { return append(slices.Clip(path), escape.Replace(name)) }
	next := 0
	added := func(until int) { // appends the members before until that only other has
		for ; next < until; next++ {
			p := other.parts[next]
			if n.index(p.name) >= 0 {
				continue
			}
			if p.kind == '[' {
				found = nothing.changes(found, below(p.name), p.node)
			} else {
				found = append(found, Change{strings.Join(below(p.name), "/"), nil, p.value})
			}
		}
	}
	for _, p := range n.parts {
		i := other.index(p.name)
		switch {
		case i >= 0:
			added(i)
			found = p.changes(found, below(p.name), other.parts[i].node)
		case p.kind == '[':
			found = p.changes(found, below(p.name), nothing)
		default:
			found = append(found, Change{strings.Join(below(p.name), "/"), p.value, nil})
		}
	}
	added(len(other.parts))
	return found
}

// nothing is an empty list, compared with a list that is absent.
var nothing = node{kind: '[', value: jsontext.Value("[]")}
