package merge

import (
	"bytes"

	"github.com/miroir-search/miroir/rawjson"
)

// memo is how many rules of a hit are remembered for the next.
const memo = 16

// ruleMemo is one rule of an earlier hit. Neighbours in a list agree in most of their rules, to the byte.
type ruleMemo struct {
	raw  []byte // `"name":{...}`
	slot slot
}

// compactDetails reads ranking details that begin at data[at] in the form in which nodes write them: no white
// space, no escapes in the names of rules. It reads them in one pass, where the general reader needs three, and
// pages of keyword hits are mostly ranking details. The result is the index behind the object; 0 when the text is of
// another form, and then the hit has no slots.
func (m *merger) compactDetails(data []byte, at int, h *hit) (end int) {
	first := len(m.slots)
	ordered := true
	i := at + 1
	for place := 0; i < len(data); place++ {
		var known *ruleMemo
		if place < memo {
			known = &m.memo[place]
		}
		if known != nil && known.raw != nil && bytes.HasPrefix(data[i:], known.raw) { //nolint:nestif // the fast path and its fallback
			m.slots = append(m.slots, known.slot)
			i += len(known.raw)
		} else {
			s := slot{order: int32(place)}
			next := m.compactRule(data, i, &s)
			if next <= 0 {
				break
			}
			if s.rule != ruleNone {
				m.slots = append(m.slots, s)
				if known != nil {
					*known = ruleMemo{raw: data[i:next], slot: s}
				}
			}
			i = next
		}
		if n := len(m.slots); n > first+1 {
			ordered = ordered && m.slots[n-2].order <= m.slots[n-1].order
		}
		if i >= len(data) || data[i] != ',' && data[i] != '}' {
			break
		}
		if data[i] == '}' {
			if !ordered {
				sortSlots(m.slots[first:])
			}
			h.note(m.slots[first:])
			return i + 1
		}
		i++
	}
	m.slots = m.slots[:first]
	return 0
}

// note sets what the rules say about the hit as a whole.
func (h *hit) note(slots []slot) {
	for i := range slots {
		switch slots[i].rule {
		case ruleVector:
			h.semantic = true
		case ruleNear, ruleFar, rulePin:
			h.slow = true
		}
	}
}

// compactRule reads `"name":{...}` at data[i] and returns the index behind it, 0 if something unusual is there.
func (m *merger) compactRule(data []byte, i int, s *slot) int {
	key, at := compactKey(data, i)
	if at <= 0 || data[at] != '{' {
		return 0
	}
	if f := fieldsOf(key, s); s.rule != ruleNone {
		return compactFields(data, at+1, s, f)
	}
	end, err := rawjson.SkipValue(data, at)
	if err != nil || m.parseSort(key, data[at:end], s) != nil {
		return 0
	}
	return end
}

// ruleFields says which members of a rule's object count and what becomes of them.
type ruleFields struct {
	a, b   string
	negate bool // fewer is better
	match  bool // there is a match type
}

// fieldsOf sets s.rule and says where its values are; for a rule that is no rank, s.rule stays ruleNone.
func fieldsOf(key []byte, s *slot) ruleFields {
	s.rule = ruleRank
	switch string(key) {
	case "words":
		return ruleFields{a: "matchingWords"}
	case "typo":
		// The count, not the score: the score's divisor depends on what else the node holds.
		return ruleFields{a: "typoCount", negate: true}
	case "proximity", "attributeRank", "wordPosition":
		return ruleFields{a: "score"}
	case "attribute":
		return ruleFields{a: "attributeRankingOrderScore", b: "queryWordDistanceScore"}
	case "exactness":
		return ruleFields{b: "matchingWords", match: true}
	case "vectorSort":
		s.rule = ruleVector
		return ruleFields{a: "similarity"}
	case "skipped":
		s.rule = ruleSkipped
		return ruleFields{}
	case "pin":
		s.rule = rulePin
		return ruleFields{a: "position"}
	}
	s.rule = ruleNone
	return ruleFields{}
}

// set takes one member of a rule's object.
func (f ruleFields) set(s *slot, key, value []byte) {
	switch k := string(key); {
	case k == "order":
		s.order = order(value, s.order)
	case k == f.a && k != "":
		if s.a = number(value); f.negate {
			s.a = -s.a
		}
	case k == f.b && k != "":
		s.b = number(value)
	case f.match && k == "matchType":
		switch string(value) {
		case `"exactMatch"`:
			s.a = 3
		case `"matchesStart"`:
			s.a = 2
		case `"noExactMatch"`:
			s.a = 1
		}
	}
}

// compactKey reads `"key":` at data[i] and returns the index behind the colon, 0 if that is not there. The byte
// at that index exists.
func compactKey(data []byte, i int) (key []byte, next int) {
	if uint(i) >= uint(len(data)) || data[i] != '"' {
		return nil, 0
	}
	i++
	for j := i; j+2 < len(data); j++ {
		switch data[j] {
		case '"':
			if data[j+1] != ':' {
				return nil, 0
			}
			return data[i:j], j + 2
		case '\\':
			return nil, 0
		}
	}
	return nil, 0
}

// compactFields reads the members of one rule from behind its opening brace and returns the index behind the closing
// one, 0 if something unusual is there.
func compactFields(data []byte, i int, s *slot, f ruleFields) int {
	for {
		key, next := compactKey(data, i)
		if next <= 0 {
			return 0
		}
		end := next
		if data[next] == '"' {
			if end = rawjson.SkipString(data, next); end < 0 {
				return 0
			}
		} else {
			for end < len(data) && data[end] != ',' && data[end] != '}' {
				if c := data[end]; c <= ' ' || c == '{' || c == '[' || c == ']' || c == '"' {
					return 0
				}
				end++
			}
		}
		if end >= len(data) || end == next {
			return 0
		}
		f.set(s, key, data[next:end])
		switch data[end] {
		case ',':
			i = end + 1
		case '}':
			return end + 1
		default:
			return 0
		}
	}
}

// parseDetails appends the slots of one `_rankingScoreDetails` object to m.slots, in rule order, and notes in h
// what is special about the hit. It reads any JSON; see compactDetails for the usual case.
func (m *merger) parseDetails(details []byte, h *hit) error {
	first := len(m.slots)
	ordered := true
	var it rawjson.Members
	for it.Init(details); it.Next(); {
		s := slot{order: int32(len(m.slots) - first)}
		var err error
		if f := fieldsOf(it.Key, &s); s.rule != ruleNone {
			err = f.read(it.Value, &s)
		} else {
			err = m.parseSort(it.Key, it.Value, &s)
		}
		if err != nil {
			return err
		}
		if s.rule == ruleNone {
			continue
		}
		ordered = ordered && (len(m.slots) == first || m.slots[len(m.slots)-1].order <= s.order)
		m.slots = append(m.slots, s)
	}
	if !ordered {
		sortSlots(m.slots[first:])
	}
	h.note(m.slots[first:])
	return it.Err
}

// read takes all members of a rule's object.
func (f ruleFields) read(value []byte, s *slot) error {
	var it rawjson.Members
	for it.Init(value); it.Next(); {
		f.set(s, it.Key, it.Value)
	}
	return it.Err
}

// sortSlots is an insertion sort: there are few slots and nodes send them in order.
func sortSlots(s []slot) {
	for i := 1; i < len(s); i++ {
		for j := i; j > 0 && s[j].order < s[j-1].order; j-- {
			s[j], s[j-1] = s[j-1], s[j]
		}
	}
}

// parseSort reads `<field>:asc|desc` and `_geoPoint(lat, lng):asc|desc`. Anything else (a hidden rule, a rule
// of a version to come) has no opinion: it keeps ruleNone and is left out.
func (m *merger) parseSort(key, value []byte, s *slot) error {
	desc := bytes.HasSuffix(key, []byte(":desc"))
	if !desc && !bytes.HasSuffix(key, []byte(":asc")) {
		return nil
	}
	point, geo := geoPoint(key)
	switch {
	case geo && desc:
		s.rule, s.point = ruleFar, point
	case geo:
		s.rule, s.point = ruleNear, point
	case desc:
		s.rule = ruleDescending
	default:
		s.rule = ruleAscending
	}
	want := "value"
	if geo {
		want = "distance"
	}
	var it rawjson.Members
	for it.Init(value); it.Next(); {
		switch k := string(it.Key); {
		case k == want:
			if err := m.readValue(it.Value, s); err != nil {
				return err
			}
		case k == "order":
			s.order = order(it.Value, s.order)
		}
	}
	return it.Err
}

// readValue classes a sort value as the node reports it, which is normalized already.
func (m *merger) readValue(v []byte, s *slot) error {
	s.class = classOther
	switch c := v[0]; {
	case c == '"':
		text, err := m.unquoted(v)
		if err != nil {
			return err
		}
		s.class, s.text = classString, text
	case c == '-' || c >= '0' && c <= '9':
		s.class, s.a = classNumber, number(v)
	case c == 'n':
		s.class = classMissing
	}
	return nil
}
