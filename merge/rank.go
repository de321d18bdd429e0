package merge

import (
	"bytes"
	"cmp"

	"github.com/miroir-search/miroir/rawjson"
)

// rule is the kind of one entry of a hit's ranking score details.
type rule uint8

const (
	ruleNone      rule = iota // nothing at this place: the list ended, which is worse than anything
	ruleSkipped               // the search was cut off here: rank 0 of 1
	ruleRank                  // larger a, then larger b, is better
	ruleAscending             // sort value, smallest first
	ruleDescending
	ruleNear // distance, nearest first
	ruleFar
	ruleVector // larger similarity is better
	rulePin
)

// Classes of a sort value, from worst to best.
const (
	classMissing uint8 = iota
	classOther         // neither string nor number; all of them are equal
	classString
	classNumber
)

// slot is what one ranking rule says about one hit, ready to be compared.
type slot struct {
	rule  rule
	class uint8 // of a sort value; for a distance, classNumber or classMissing
	order int32 // place among the rules
	a, b  float64
	text  []byte
	point [2]float64 // what distances are measured from
}

// compareSlots orders what two hits have at the same place; negative means x is better.
func compareSlots(x, y *slot) int {
	if x.rule != y.rule {
		return cmp.Compare(y.rule, x.rule)
	}
	switch x.rule {
	case ruleRank:
		if c := cmp.Compare(y.a, x.a); c != 0 {
			return c
		}
		return cmp.Compare(y.b, x.b)
	case ruleVector:
		return cmp.Compare(y.a, x.a)
	case ruleAscending, ruleNear:
		return compareValues(x, y, false)
	case ruleDescending, ruleFar:
		return compareValues(x, y, true)
	default: // nothing, skipped, pinned: no opinion
		return 0
	}
}

// compareValues puts numbers before strings and missing values last in both directions.
func compareValues(x, y *slot, desc bool) int {
	if x.class != y.class {
		return cmp.Compare(y.class, x.class)
	}
	c := 0
	switch x.class {
	case classNumber:
		c = cmp.Compare(x.a, y.a)
	case classString:
		c = bytes.Compare(x.text, y.text)
	}
	if desc {
		return -c
	}
	return c
}

// unquoted returns the content of a JSON string: a part of quoted, or bytes kept in the arena.
func (m *merger) unquoted(quoted []byte) ([]byte, error) {
	if bytes.IndexByte(quoted, '\\') < 0 {
		if len(quoted) < 2 {
			return nil, rawjson.ErrStructure
		}
		return quoted[1 : len(quoted)-1], nil
	}
	from := len(m.text)
	text, err := rawjson.AppendUnquoted(m.text, quoted)
	if err != nil {
		return nil, err
	}
	m.text = text
	return text[from:len(text):len(text)], nil
}

// number reads a JSON number; null and anything else is 0.
func number(v []byte) float64 {
	if n, ok := smallInt(v); ok {
		return float64(n)
	}
	f, _ := rawjson.ParseFloat(v)
	return f
}

// smallInt reads a plain run of up to nine digits, which is what most members of ranking details are.
func smallInt(v []byte) (int, bool) {
	if len(v) == 0 || len(v) > 9 {
		return 0, false
	}
	n := 0
	for _, c := range v {
		if c -= '0'; c > 9 {
			return 0, false
		}
		n = n*10 + int(c)
	}
	return n, true
}

func order(v []byte, otherwise int32) int32 {
	if n, ok := smallInt(v); ok {
		return int32(n)
	}
	return otherwise
}
