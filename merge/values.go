package merge

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"

	"github.com/miroir-search/miroir/rawjson"
)

// eachValue calls fn with every scalar that a document holds under an attribute name: a dot steps into an object or is
// part of a member's name, arrays are walked through, null and objects are no values.
func eachValue(doc []byte, path string, fn func(v []byte)) error {
	var it rawjson.Members
	for it.Init(doc); it.Next(); {
		if rawjson.KeyEquals(it.Key, path) {
			if err := eachScalar(it.Value, fn); err != nil {
				return err
			}
			continue
		}
		if it.Value[0] != '{' && it.Value[0] != '[' {
			continue
		}
		for dot := strings.IndexByte(path, '.'); dot >= 0; {
			if rawjson.KeyEquals(it.Key, path[:dot]) {
				if err := eachObject(it.Value, path[dot+1:], fn); err != nil {
					return err
				}
			}
			next := strings.IndexByte(path[dot+1:], '.')
			if next < 0 {
				break
			}
			dot += 1 + next
		}
	}
	return it.Err
}

// eachObject looks for path in an object, or in all objects of an array.
func eachObject(v []byte, path string, fn func(v []byte)) error {
	switch v[0] {
	case '{':
		return eachValue(v, path, fn)
	case '[':
		return eachElement(v, func(e []byte) error { return eachObject(e, path, fn) })
	}
	return nil
}

func eachScalar(v []byte, fn func(v []byte)) error {
	switch v[0] {
	case '[':
		return eachElement(v, func(e []byte) error { return eachScalar(e, fn) })
	case '{', 'n':
		return nil
	}
	fn(v)
	return nil
}

// eachElement stops at the first error of fn.
func eachElement(arr []byte, fn func(e []byte) error) error {
	var failed error
	err := rawjson.EachElement(arr, func(e []byte) bool {
		failed = fn(e)
		return failed == nil
	})
	if failed != nil {
		return failed
	}
	return err
}

// filedValue is a scalar of a document the way a node files it: a number, or a normalized string (booleans are the
// strings false and true). The empty string is no value.
func (m *merger) filedValue(v []byte) (class uint8, num float64, text []byte, err error) {
	switch c := v[0]; {
	case c == '"':
		raw, err := m.unquoted(v)
		if err != nil || len(raw) == 0 {
			return classMissing, 0, nil, err
		}
		from := len(m.text)
		m.text = appendNormalized(m.text, raw)
		return classString, 0, m.text[from:len(m.text):len(m.text)], nil
	case c == 't', c == 'f':
		return classString, 0, v, nil
	}
	return classNumber, number(v), nil, nil
}

// sortKeys appends one slot per sort field of a document that is browsed: the smallest value when ascending, the
// largest when descending, any number before any string.
//
// A node lists a document that has both numbers and strings in a field twice, once among the numbers and once among
// the strings. Its list is sorted, so a document stands for the first of its values that does not come before what
// stood ahead of it: prev is that hit, nil for none.
func (m *merger) sortKeys(doc []byte, seq []byte, prev *hit) error {
	first := len(m.slots)
	mixed := make([]slot, 0, 4) // what else the fields have, in the order of the fields
	for place, field := range m.sorts {
		if field.Field == "" {
			m.slots = append(m.slots, distanceSlot(doc, field, place))
			continue
		}
		empty := slot{rule: ruleAscending, order: int32(place)}
		if field.Desc {
			empty.rule = ruleDescending
		}
		best, text := empty, empty
		var failed error
		err := eachValue(doc, field.Field, func(v []byte) {
			s := slot{rule: empty.rule, order: empty.order}
			if s.class, s.a, s.text, failed = m.filedValue(v); failed != nil {
				return
			}
			if compareSlots(&s, &best) < 0 {
				best = s
			}
			if s.class == classString && compareSlots(&s, &text) < 0 {
				text = s
			}
		})
		if err == nil {
			err = failed
		}
		if err != nil {
			return err
		}
		m.slots = append(m.slots, best)
		if best.class == classNumber && text.class == classString {
			mixed = append(mixed, text)
		}
	}
	if prev == nil || len(mixed) == 0 {
		return nil
	}
	m.chooseValues(m.slots[first:], mixed, seq, m.slots[prev.slots0:prev.slots1], prev.seq)
	return nil
}

// chooseValues puts strings in the place of numbers until the document does not come before what stood ahead of it.
func (m *merger) chooseValues(keys, mixed []slot, seq []byte, ahead []slot, aheadSeq []byte) {
	numbers := make([]slot, len(keys))
	copy(numbers, keys)
	for choice := range 1 << min(len(mixed), 8) {
		copy(keys, numbers)
		for i, s := range mixed {
			if choice>>(len(mixed)-1-i)&1 == 1 { // the first field counts most
				keys[s.order] = s
			}
		}
		c := 0
		for i := range min(len(keys), len(ahead)) {
			if c = compareSlots(&ahead[i], &keys[i]); c != 0 {
				break
			}
		}
		if c < 0 || c == 0 && bytes.Compare(aheadSeq, seq) < 0 {
			return
		}
	}
	copy(keys, numbers)
}

// distanceSlot is what a sort by distance says of a document.
func distanceSlot(doc []byte, field SortField, place int) slot {
	s := slot{rule: ruleNear, order: int32(place), point: field.Point}
	if field.Desc {
		s.rule = ruleFar
	}
	geo, ok := rawjson.Get(doc, "_geo")
	if !ok || geo[0] != '{' {
		return s
	}
	lat, ok1 := coordinate(geo, "lat")
	lng, ok2 := coordinate(geo, "lng")
	if ok1 && ok2 {
		s.class, s.a = classNumber, distance(field.Point, [2]float64{lat, lng})
	}
	return s
}

// distinctSet remembers which values of the distinct attribute have been shown.
type distinctSet struct {
	values map[string]struct{}
	keys   []byte // the current hit's values, each led by its length
}

func (d *distinctSet) reset() {
	if len(d.values) > maxPooled {
		d.values = nil
	}
	clear(d.values)
	d.keys = d.keys[:0]
}

// admit reports whether none of the hit's values has been shown, and then takes them all. A hit without the
// attribute is always admitted, as is one whose values cannot be read.
func (d *distinctSet) admit(m *merger, h *hit, attribute string) bool {
	d.keys = d.keys[:0]
	doc := m.legs[h.leg].body[h.from:h.to]
	err := eachValue(doc, attribute, func(v []byte) {
		class, num, text, err := m.filedValue(v)
		if err != nil || class == classMissing {
			return
		}
		var bits [8]byte
		if class == classNumber {
			binary.BigEndian.PutUint64(bits[:], math.Float64bits(num))
			text = bits[:]
		}
		d.keys = binary.AppendUvarint(d.keys, uint64(len(text)+1))
		d.keys = append(append(d.keys, class), text...)
	})
	if err != nil {
		return true
	}
	if !d.each(func(key []byte) bool { _, seen := d.values[string(key)]; return !seen }) {
		return false
	}
	if d.values == nil {
		d.values = make(map[string]struct{})
	}
	d.each(func(key []byte) bool { d.values[string(key)] = struct{}{}; return true })
	return true
}

// each walks the current hit's values until fn returns false, and reports whether it never did.
func (d *distinctSet) each(fn func(key []byte) bool) bool {
	for keys := d.keys; len(keys) > 0; {
		size, n := binary.Uvarint(keys)
		if n <= 0 || !fn(keys[n:n+int(size)]) {
			return false
		}
		keys = keys[n+int(size):]
	}
	return true
}

// compareNames orders raw member names by the names they stand for.
func compareNames(a, b []byte) int {
	if bytes.IndexByte(a, '\\') < 0 && bytes.IndexByte(b, '\\') < 0 {
		return bytes.Compare(a, b)
	}
	return strings.Compare(name(a), name(b))
}

// name returns what a raw key stands for; one that is broken stands for itself.
func name(key []byte) string {
	if s, err := rawjson.Unquote(key); err == nil {
		return s
	}
	return string(key)
}
