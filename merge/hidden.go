package merge

import (
	"bytes"
	"strconv"

	"github.com/miroir-search/miroir/rawjson"
)

// hideRules edits ranking details that the client asked for: a rule on a field of ours goes, a sort on a field
// that the client's settings hide is written the way a node writes it. They lie at from in the leg.
func (m *merger) hideRules(from int, details []byte) error {
	if !m.keepDetails {
		return nil
	}
	return m.cutMembers(from, details, ownRule, func(key, value []byte, key0, at int) error {
		if !m.hidden(key) {
			return nil
		}
		return m.redact(key, value, key0, at)
	})
}

func ownRule(key []byte) bool {
	return len(key) > 0 && (key[0] == '_' || key[0] == '\\') && reserved(key)
}

// hidden reports whether key is a sort rule on a field that the client's settings do not display.
func (m *merger) hidden(key []byte) bool {
	if len(m.hide) == 0 {
		return false
	}
	field, ok := bytes.CutSuffix(key, []byte(":asc"))
	if !ok {
		if field, ok = bytes.CutSuffix(key, []byte(":desc")); !ok {
			return false
		}
	}
	for _, name := range m.hide {
		if rawjson.KeyEquals(field, name) {
			return true
		}
	}
	return false
}

// redact replaces the rule's name, which lies at key0 in the leg, and what it says in its `value`, itself being at at.
func (m *merger) redact(key, value []byte, key0, at int) error {
	s := slot{}
	if err := (ruleFields{}).read(value, &s); err != nil {
		return err
	}
	name := append([]byte("<hidden-rule-"), strconv.Itoa(int(s.order))...)
	m.edits = append(m.edits, edit{from: key0, to: key0 + len(key), text: append(name, '>')})
	shown, ok := rawjson.Get(value, "value")
	if ok {
		at += cap(value) - cap(shown) // both are parts of the leg
		m.edits = append(m.edits, edit{from: at, to: at + len(shown), text: []byte(`"<hidden>"`)})
	}
	return nil
}
