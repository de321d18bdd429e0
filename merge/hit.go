package merge

import (
	"bytes"

	"github.com/miroir-search/miroir/rawjson"
)

// member is what a top-level member of a hit means to the merger.
type member uint8

const (
	memberPlain member = iota
	memberReserved
	memberSeq
	memberScore
	memberDetails
	memberNested // `_formatted`, `_matchesPosition`
	memberGeo
	memberFederation
)

// classify tells members apart by the raw key. All special names begin with an underscore, so one byte settles
// nearly every key of a document.
func classify(key []byte) member {
	if len(key) == 0 || key[0] != '_' && key[0] != '\\' {
		return memberPlain
	}
	switch string(key) {
	case MemberSeq:
		return memberSeq
	case MemberShard:
		return memberReserved
	case "_rankingScore":
		return memberScore
	case "_rankingScoreDetails":
		return memberDetails
	case "_formatted", "_matchesPosition":
		return memberNested
	case "_geo":
		return memberGeo
	case "_federation":
		return memberFederation
	}
	if rawjson.KeyHasPrefix(key, ReservedPrefix) {
		if rawjson.KeyEquals(key, MemberSeq) {
			return memberSeq
		}
		return memberReserved
	}
	if bytes.IndexByte(key, '\\') >= 0 {
		if name, err := rawjson.Unquote(key); err == nil && bytes.IndexByte([]byte(name), '\\') < 0 {
			return classify([]byte(name))
		}
	}
	return memberPlain
}

// scanHit reads the object at body[at:] of leg l and appends it to m.hits. It returns the index behind the object.
func (m *merger) scanHit(l *leg, at int) (end int, err error) {
	h := hit{
		leg: l.index, pos: l.count, from: at,
		slots0: int32(len(m.slots)), edits0: int32(len(m.edits)),
	}
	c := cutter{edits: &m.edits}
	w := walker{data: l.body, i: at}
	for {
		more, err := w.next()
		if err != nil {
			return 0, err
		}
		if !more {
			break
		}
		if err := m.scanMember(&w, &c, &h); err != nil {
			return 0, err
		}
	}
	c.finish()
	h.to = w.i
	h.edits1 = int32(len(m.edits))
	if len(m.sorts) > 0 {
		var prev *hit
		if l.newest > 0 {
			prev = &m.hits[l.newest-1]
		}
		if err := m.sortKeys(l.body[at:h.to], h.seq, prev); err != nil {
			return 0, err
		}
		h.note(m.slots[h.slots0:])
	}
	h.slots1 = int32(len(m.slots))
	m.hits = append(m.hits, h)
	l.newest = int32(len(m.hits))
	l.count++
	return h.to, nil
}

// scanMember takes the member of a hit at which w stands and moves w behind it.
func (m *merger) scanMember(w *walker, c *cutter, h *hit) error {
	key0, at := w.key0, w.i
	key := w.key()
	kind := classify(key)
	if kind > memberSeq && m.browse || kind >= memberDetails && w.data[at] != '{' || kind == memberFederation && m.fed == nil {
		kind = memberPlain // a document's own member of that name
	}
	drop := m.drops(kind, key)
	if kind == memberDetails && m.fed != nil {
		h.details = w.data[at:]
	}
	if kind == memberDetails && drop && !m.alone {
		if end := m.compactDetails(w.data, at, h); end > 0 {
			w.i = end
			c.drop(key0, end)
			return nil
		}
	}
	value, err := w.skip()
	if err != nil {
		return err
	}
	err = m.take(kind, value, h)
	if err != nil || drop {
		c.drop(key0, w.i)
		return err
	}
	c.keep(key0, w.i)
	switch kind {
	case memberNested:
		return m.cutNested(key, at, value)
	case memberDetails:
		return m.hideRules(at, value)
	case memberFederation:
		m.edits = append(m.edits, edit{from: at, to: w.i, text: m.fed.info})
	}
	return nil
}

// seqText returns the insertion number's text; anything but a string is as good as none.
func (m *merger) seqText(v []byte) ([]byte, error) {
	if v[0] != '"' {
		return nil, nil
	}
	return m.unquoted(v)
}

// drops decides which top-level members the client does not see.
func (m *merger) drops(kind member, key []byte) bool {
	switch kind {
	case memberReserved, memberSeq:
		return true
	case memberScore:
		return !m.keepScore
	case memberDetails:
		return !m.keepDetails
	}
	if m.unasked.Name != "" && rawjson.KeyEquals(key, m.unasked.Name) {
		return true
	}
	for _, name := range m.strip {
		if rawjson.KeyEquals(key, name) {
			return true
		}
	}
	return false
}

// ours reports whether an attribute name, possibly dotted, belongs to a member that the client must not see.
func (m *merger) ours(key []byte) bool {
	if len(key) > 0 && (key[0] == '_' || key[0] == '\\') && rawjson.KeyHasPrefix(key, ReservedPrefix) {
		return true
	}
	for _, name := range m.strip {
		if rawjson.KeyEquals(key, name) {
			return true
		}
		if rawjson.KeyHasPrefix(key, name) {
			if full, err := rawjson.Unquote(key); err == nil && len(full) > len(name) && full[len(name)] == '.' {
				return true
			}
		}
	}
	return false
}

// cutter turns kept and dropped members of one object into edits that leave the commas right. Positions are the
// leg's.
type cutter struct {
	edits   *[]edit
	last    int // end of the last member, kept or not
	from    int // where the pending cut begins
	cutting bool
	kept    bool // some member before the pending cut stays
}

// drop cuts a member whose key's text begins at key and whose value ends at end.
func (c *cutter) drop(key, end int) {
	if !c.cutting {
		c.cutting = true
		if c.from = key - 1; c.kept {
			c.from = c.last
		}
	}
	c.last = end
}

// keep leaves a member as it is and settles the cut before it.
func (c *cutter) keep(key, end int) {
	if c.cutting {
		to := c.last
		if !c.kept {
			to = key - 1
		}
		c.cutting = false
		*c.edits = append(*c.edits, edit{from: c.from, to: to})
	}
	c.kept = true
	c.last = end
}

// finish settles the cut behind the last member that was kept.
func (c *cutter) finish() {
	if c.cutting {
		*c.edits = append(*c.edits, edit{from: c.from, to: c.last})
	}
}

// cutMembers drops from an object that lies at from in the leg every member for which drop reports true, and hands
// the others to keep, if that is not nil.
func (m *merger) cutMembers(from int, obj []byte, drop func(key []byte) bool, keep func(key, value []byte, key0, at int) error) error {
	c := cutter{edits: &m.edits}
	w := walker{data: obj}
	for {
		more, err := w.next()
		if err != nil {
			return err
		}
		if !more {
			c.finish()
			return nil
		}
		at := w.i
		value, err := w.skip()
		if err != nil {
			return err
		}
		if drop(w.key()) {
			c.drop(from+w.key0, from+w.i)
			continue
		}
		c.keep(from+w.key0, from+w.i)
		if keep == nil {
			continue
		}
		if err := keep(w.key(), value, from+w.key0, from+at); err != nil {
			return err
		}
	}
}

// take notes what a member says about the place of a hit.
func (m *merger) take(kind member, value []byte, h *hit) (err error) {
	switch kind {
	case memberSeq:
		h.seq, err = m.seqText(value)
	case memberScore:
		h.score = number(value)
	case memberGeo:
		h.geo = value
	case memberDetails:
		if !m.alone {
			err = m.parseDetails(value, h)
		}
	}
	return err
}

// cutNested cuts what the client must not see out of `_formatted` or
// `_matchesPosition`, which lies at from in the leg.
func (m *merger) cutNested(key []byte, from int, obj []byte) error {
	drop := m.ours
	if m.unasked.Name != "" && !m.unasked.Formatted && rawjson.KeyEquals(key, "_formatted") {
		drop = func(key []byte) bool { return m.ours(key) || rawjson.KeyEquals(key, m.unasked.Name) }
	}
	return m.cutMembers(from, obj, drop, nil)
}
