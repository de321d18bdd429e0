package engine

import (
	"encoding/json"
	"slices"
	"strconv"
)

// shows decides which top-level members of documents are shown.
type shows struct {
	all    bool
	fields map[uint16]string // by field: the member itself
	// nested are the dotted names asked for, by the field they begin with.
	nested map[uint16][]string
	// vectors adds the stored vectors.
	vectors bool
}

// view is a document as the document routes show it.
func (c *core) view(doc uint32, fields []string, vectors bool) json.RawMessage {
	s := c.selection(fields, nil)
	s.vectors = vectors
	return c.appendShown(nil, c.docs[doc], s)
}

// selection resolves a list of attributes to show, nil for all, within those
// displayed, nil for all.
func (c *core) selection(fields, displayed []string) *shows {
	if slices.Contains(fields, "*") {
		fields = nil
	}
	return c.selectionOf(fields, displayed)
}

// selectionOf is selection where "*" among the fields is no wildcard.
func (c *core) selectionOf(fields, displayed []string) *shows {
	if slices.Contains(displayed, "*") {
		displayed = nil
	}
	if fields == nil && displayed == nil {
		return &shows{all: true}
	}
	s := &shows{fields: make(map[uint16]string), nested: make(map[uint16][]string)}
	var names []string
	switch {
	case fields == nil:
		names = displayed
	case displayed == nil:
		names = fields
	default: // what is shown must be named by both
		for _, f := range fields {
			if slices.Contains(displayed, f) {
				names = append(names, f)
			}
		}
	}
	for id := range c.fields.attrs {
		a := &c.fields.attrs[id]
		for _, n := range names {
			_, known := c.fields.ids[n]
			switch {
			case n == a.name:
				s.fields[uint16(id)] = a.name
			case known && nestedIn(n, a.name):
				s.nested[uint16(id)] = append(s.nested[uint16(id)], n[len(a.name)+1:])
			}
		}
	}
	return s
}

// appendShown prints the selected members of a document, with the closing
// brace.
func (c *core) appendShown(b []byte, d *document, s *shows) []byte {
	b = c.appendMembers(append(b, '{'), d, s)
	return append(b, '}')
}

// appendMembers prints the selected members without braces. Stored vectors are
// left out; those of embedders come last when they are selected, also when there
// are none.
func (c *core) appendMembers(b []byte, d *document, s *shows) []byte {
	start := len(b)
	b = c.appendParts(b, d, s, false)
	if s.vectors {
		if len(b) > start {
			b = append(b, ',')
		}
		b = c.appendVectors(append(b, `"_vectors":`...), d)
	}
	return b
}

// appendStored prints the selected members with the vectors stored among them.
func (c *core) appendStored(b []byte, d *document, s *shows) []byte {
	return append(c.appendParts(append(b, '{'), d, s, true), '}')
}

func (c *core) appendParts(b []byte, d *document, s *shows, vectors bool) []byte {
	start := len(b)
	for _, p := range d.parts {
		name := c.fields.attrs[p.field].name
		value := d.raw[p.start:p.end]
		if name == "_vectors" && !vectors {
			continue
		}
		if !s.all {
			if _, ok := s.fields[p.field]; !ok {
				value = nestedPart(value, s.nested[p.field])
			}
		}
		if value == nil {
			continue
		}
		if len(b) > start {
			b = append(b, ',')
		}
		b = append(appendString(b, name), ':')
		b = append(b, value...)
	}
	return b
}

// nestedPart keeps of a JSON value only the dotted names in it; nil when it
// holds none.
func nestedPart(raw []byte, names []string) []byte {
	if len(names) == 0 || raw[0] != '{' && raw[0] != '[' {
		return nil
	}
	v, err := parseJSON(raw)
	if err != nil {
		return nil
	}
	out, ok := pick(&v, names)
	if !ok {
		return nil
	}
	return out.appendTo(nil)
}

// pick keeps the named members. Objects and arrays stay even when nothing is
// left of them, but for objects in arrays.
func pick(v *jsonValue, names []string) (jsonValue, bool) {
	out := jsonValue{kind: v.kind}
	switch v.kind {
	case jsonObject:
		for i, k := range v.keys {
			item, ok := v.items[i], slices.Contains(names, k)
			if below := namesBelow(names, k); !ok && below != nil {
				item, ok = pick(&v.items[i], below)
			}
			if ok {
				out.keys, out.items = append(out.keys, k), append(out.items, item)
			}
		}
	case jsonArray:
		for i := range v.items {
			if item, ok := pick(&v.items[i], names); ok && (item.kind == jsonArray || len(item.keys) > 0) {
				out.items = append(out.items, item)
			}
		}
	default:
		return out, false
	}
	return out, true
}

// namesBelow are the parts of dotted names behind a first part.
func namesBelow(names []string, first string) []string {
	var below []string
	for _, n := range names {
		if n != first && nestedIn(n, first) {
			below = append(below, n[len(first)+1:])
		}
	}
	return below
}

// appendVectors prints what retrieveVectors adds: the vectors of the embedders
// that exist, and as they are those of embedders that do not.
func (c *core) appendVectors(b []byte, d *document) []byte {
	b = append(b, '{')
	first := true
	comma := func() {
		if !first {
			b = append(b, ',')
		}
		first = false
	}
	for _, p := range d.parts {
		if c.fields.attrs[p.field].name != "_vectors" {
			continue
		}
		v, err := parseJSON(d.raw[p.start:p.end])
		if err != nil || v.kind != jsonObject {
			continue
		}
		for i, k := range v.keys {
			if _, ok := c.cfg.Embedders[k]; !ok {
				comma()
				b = append(appendString(b, k), ':')
				b = v.items[i].appendTo(b)
			}
		}
	}
	for _, name := range sortedKeys(d.vectors) {
		if _, ok := c.cfg.Embedders[name]; ok {
			comma()
			b = appendEmbeddings(append(appendString(b, name), ':'), d.vectors[name])
		}
	}
	return append(b, '}')
}

func appendEmbeddings(b []byte, e embeddings) []byte {
	b = append(b, `{"embeddings":[`...)
	for i, vec := range e.list {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '[')
		for j, f := range vec {
			if j > 0 {
				b = append(b, ',')
			}
			b = appendFloat32(b, f)
		}
		b = append(b, ']')
	}
	return append(strconv.AppendBool(append(b, `],"regenerate":`...), e.regenerate), '}')
}
