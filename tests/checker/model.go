package checker

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Document is a document by members; values are JSON text.
type Document map[string]json.RawMessage

// encode gives the members by name.
func (d Document) encode() []byte {
	b := []byte{'{'}
	for i, name := range slices.Sorted(maps.Keys(d)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, quoted(name)...)
		b = append(b, ':')
		b = append(b, d[name]...)
	}
	return append(b, '}')
}

// id is the document id as text: 1 and "1" are one.
func (d Document) id() string { return strings.Trim(string(d["id"]), `"`) }

// Absent is the state of a document that is not there.
const Absent = ""

// shown is the state of a document that a reader may see: members sorted, numbers
// by value, without vectors.
func shown(d Document) string {
	if d == nil {
		return Absent
	}
	out := map[string]any{}
	for name, raw := range d {
		var v any
		if name != "_vectors" && json.Unmarshal(raw, &v) == nil {
			out[name] = v
		}
	}
	b, _ := json.Marshal(out) // it came from JSON
	return string(b)
}

// Model is what one node holds, as far as the tests' calls go. It is only used
// for what readers see on the way; what there must be at the end is a node's say.
type Model map[string]map[string]Document

// Apply carries out a call that succeeded.
func (m Model) Apply(c *Call) {
	switch c.Kind {
	case kindSwap:
		m["films"], m["books"] = m["books"], m["films"]
		return
	case kindDrop:
		delete(m, c.Index)
		return
	case kindCreate, kindSettings:
		return
	}
	docs := m[c.Index]
	if docs == nil {
		docs = map[string]Document{}
		m[c.Index] = docs
	}
	switch c.Kind {
	case kindAdd, kindUpdate:
		for _, d := range c.Docs {
			id := d.id()
			old := docs[id]
			if old == nil && c.Skip {
				continue
			}
			next := Document{}
			if c.Kind == kindUpdate {
				maps.Copy(next, old)
			}
			maps.Copy(next, d)
			docs[id] = next
		}
	case kindDelete, kindDeleteBatch:
		for _, id := range c.IDs {
			delete(docs, id)
		}
	case kindDeleteFilter:
		maps.DeleteFunc(docs, func(_ string, d Document) bool { return c.Filter.matches(d) })
	case kindClear:
		clear(docs)
	case kindEdit:
		for id, d := range docs {
			if c.Filter.matches(d) {
				docs[id] = counted(d)
			}
		}
	}
}

// counted is a document after the function called counting.
func counted(d Document) Document {
	n := 0
	_ = json.Unmarshal(d["c"], &n) // none, or a number of ours
	next := maps.Clone(d)
	next["c"] = json.RawMessage(strconv.Itoa(n + 1))
	return next
}

// canonical gives JSON text with sorted members and the numbers as they are.
func canonical(raw []byte) string {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return string(raw)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return string(raw)
	}
	return string(b)
}
