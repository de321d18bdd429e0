package merge

import (
	"cmp"
	"slices"

	"github.com/miroir-search/miroir/rawjson"
)

// StripSearch appends the answer of a leg that was asked alone, for exactly the client's page, with only that taken
// out which the client must not see: reserved and stripped members of hits, scores that were not asked for, reserved
// facets, facet values beyond spec.MaxValuesPerFacet. Totals, order and all else stay as the node sent them, but for
// what spec replaces: Query, RequestUID and Metadata where set (the leg's own metadata never stays), and IndexUID,
// which is put first. The error is a *LegError when the leg is not a search answer.
func StripSearch(dst []byte, spec *SearchSpec, body []byte) ([]byte, error) {
	m := newMerger()
	defer m.release()
	m.hide, m.strip, m.unasked = spec.HiddenSorts, spec.Strip, spec.Unasked
	m.keepScore, m.keepDetails, m.alone = spec.ShowRankingScore, spec.ShowRankingScoreDetails, true
	m.addLeg(body)
	if err := m.editAll(spec); err != nil {
		return dst, &LegError{Err: err}
	}
	slices.SortStableFunc(m.edits, func(a, b edit) int { return cmp.Compare(a.from, b.from) })
	return m.appendHit(dst, &hit{to: len(body), edits1: int32(len(m.edits))}), nil
}

// editAll collects the edits of a whole answer.
func (m *merger) editAll(spec *SearchSpec) error {
	l := &m.legs[0]
	if err := l.open("hits"); err != nil {
		return err
	}
	for n := int32(0); n >= 0; {
		var err error
		if n, err = m.readHit(l); err != nil {
			return err
		}
	}
	if err := l.tail(""); err != nil {
		return err
	}
	if spec.IndexUID != "" {
		at := rawjson.SkipSpace(l.body, 0) + 1
		text := m.quoted(`"indexUid":`, spec.IndexUID)
		m.edits = append(m.edits, edit{from: at, to: at, text: append(text, ',')})
	}
	if spec.Query != nil && l.query != nil {
		m.replace(l, l.query, spec.Query)
	}
	if l.facets != nil || l.stats != nil {
		if err := m.editFacets(spec, l); err != nil {
			return err
		}
	}
	if spec.RequestUID != "" {
		m.editRequestUID(spec.RequestUID, l)
	}
	if l.metadata != nil && spec.Metadata != nil {
		m.replace(l, l.metadata, spec.Metadata)
	} else if l.metadata != nil {
		m.editMetadata(l)
	}
	return nil
}

// quoted returns name followed by s as a JSON string.
func (m *merger) quoted(name, s string) []byte {
	return rawjson.AppendString([]byte(name), s)
}

// replace puts text where part, a piece of the leg's body, is.
func (m *merger) replace(l *leg, part, text []byte) {
	at := cap(l.body) - cap(part)
	m.edits = append(m.edits, edit{from: at, to: at + len(part), text: text})
}

// editRequestUID replaces the node's id of the request, or adds one at the end when the node is too old to have it.
func (m *merger) editRequestUID(uid string, l *leg) {
	if l.requestUID != nil {
		m.replace(l, l.requestUID, m.quoted("", uid))
		return
	}
	if end, _ := rawjson.ClosingBrace(l.body); end > 0 {
		m.edits = append(m.edits, edit{from: end, to: end, text: m.quoted(`,"requestUid":`, uid)})
	}
}

// editMetadata cuts the leg's metadata; its key is looked for from its value backwards. It never is the first member
// of an answer; should it be, its value goes.
func (m *merger) editMetadata(l *leg) {
	from := cap(l.body) - cap(l.metadataKey) - 1
	to := cap(l.body) - cap(l.metadata) + len(l.metadata)
	for at := from - 1; at > 0; at-- {
		switch l.body[at] {
		case ' ', '\n', '\r', '\t':
			continue
		case ',':
			m.edits = append(m.edits, edit{from: at, to: to})
			return
		}
		break
	}
	m.replace(l, l.metadata, []byte("null"))
}

// editFacets cuts reserved facets and values beyond the client's bound.
func (m *merger) editFacets(spec *SearchSpec, l *leg) error {
	f := &m.facets
	if err := f.collect(l, false); err != nil {
		return err
	}
	slices.SortFunc(f.stats, func(a, b facetPart) int { return compareNames(a.name, b.name) })
	if l.stats != nil {
		if err := m.cutMembers(cap(l.body)-cap(l.stats), l.stats, reserved, nil); err != nil {
			return err
		}
	}
	if l.facets == nil {
		return nil
	}
	return m.cutMembers(cap(l.body)-cap(l.facets), l.facets, reserved, func(key, value []byte, _, at int) error {
		if spec.MaxValuesPerFacet <= 0 {
			return nil
		}
		return m.cutValues(spec, l, facetPart{name: key, values: value}, at)
	})
}

// cutValues cuts what follows the first K values of one facet, by the rule of list.
func (m *merger) cutValues(spec *SearchSpec, l *leg, part facetPart, from int) error {
	low, high, hasNumbers := m.facets.bounds(part)
	isNumber := func(key []byte) bool {
		if !hasNumbers {
			return false
		}
		n, ok := facetNumber(key)
		return ok && low <= n && n <= high
	}
	unbounded := l.total > textCandidates || spec.FacetOrder != nil && spec.FacetOrder(name(part.name)) == Count
	count, full := 0, false
	return m.cutMembers(from, part.values, func(key []byte) bool {
		if count++; count == spec.MaxValuesPerFacet {
			full = unbounded && isNumber(key)
		}
		return count > spec.MaxValuesPerFacet && (!full || isNumber(key))
	}, nil)
}

// StripDocument appends doc without its reserved members and without those named in strip. Other bytes stay as they
// are; text that is not an object is appended unchanged.
func StripDocument(dst, doc []byte, strip ...string) []byte {
	return rawjson.Remove(dst, doc, func(key []byte) bool {
		if len(key) > 0 && (key[0] == '_' || key[0] == '\\') && reserved(key) {
			return true
		}
		for _, name := range strip {
			if rawjson.KeyEquals(key, name) {
				return true
			}
		}
		return false
	})
}
