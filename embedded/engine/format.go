package engine

import (
	"math"
	"sort"
	"strconv"
	"strings"
)

// style is how the text of a field is shown.
type style struct {
	highlight bool
	crop      int // words; 0 for all
}

// formatter turns hits into the JSON objects to show.
type formatter struct {
	s     *search
	shown *shows
	// displayed are the members whose texts are looked at, formatted those of
	// _formatted; formatted is nil when there is none.
	displayed, formatted *shows
	styles               map[string]style // by attribute
	byKey                map[string]style // by field, found on the way
	marks                *marker
}

func (s *search) newFormatter() *formatter {
	f := &formatter{s: s}
	shownBySettings := s.c.cfg.DisplayedAttributes
	f.shown = s.c.selection(s.q.AttributesToRetrieve, shownBySettings)
	f.shown.vectors = s.q.RetrieveVectors && s.showsVectors()
	f.displayed = s.c.selection(nil, shownBySettings)
	f.chooseStyles()
	if f.formatted != nil || s.q.ShowMatchesPosition {
		f.marks = s.c.newMarker(s.g)
	}
	return f
}

// showsVectors says whether vectors are shown when asked for. With a list of
// displayed attributes v1.50 has it the wrong way round once documents have a
// stored _vectors member.
func (s *search) showsVectors() bool {
	named := s.c.cfg.names("_vectors")
	if _, known := s.c.fields.id("_vectors"); known && !s.c.cfg.displaysAll() {
		return !named
	}
	return named
}

// chooseStyles resolves the attributes to highlight and crop. Attributes that
// are unknown or not displayed do not count; without any, nothing is
// formatted.
func (f *formatter) chooseStyles() {
	q := f.s.q
	f.styles, f.byKey = make(map[string]style), make(map[string]style)
	everything := false
	known := func(name string) bool {
		if _, ok := f.s.c.fields.id(name); !ok {
			return false
		}
		return f.s.c.cfg.names(name)
	}
	set := func(name string, change func(*style)) {
		if name == "*" {
			everything = true
		} else if !known(name) {
			return
		}
		st := f.styles[name]
		change(&st)
		f.styles[name] = st
	}
	for _, name := range q.AttributesToHighlight {
		set(name, func(st *style) { st.highlight = true })
	}
	for _, entry := range q.AttributesToCrop {
		name, size := entry, q.CropLength
		if i := strings.LastIndexByte(entry, ':'); i >= 0 {
			name = entry[:i]
			if n, err := strconv.Atoi(entry[i+1:]); err == nil && n >= 0 {
				size = n
			}
		}
		set(name, func(st *style) { st.crop = size })
	}
	if len(f.styles) == 0 || len(f.s.c.fields.attrs) == 0 {
		return
	}
	if everything || q.AttributesToRetrieve == nil {
		f.formatted = f.displayed
		return
	}
	names := append([]string{}, q.AttributesToRetrieve...)
	for name := range f.styles {
		names = append(names, name)
	}
	f.formatted = f.s.c.selection(names, f.s.c.cfg.DisplayedAttributes)
}

// styleOf joins the styles of all attributes a field lies in or contains.
func (f *formatter) styleOf(key string) style {
	if st, ok := f.byKey[key]; ok {
		return st
	}
	var out style
	names := sortedKeys(f.styles)
	sort.SliceStable(names, func(i, j int) bool { return names[i] != "*" && names[j] == "*" })
	for _, name := range names {
		if name == "*" || nestedIn(key, name) || nestedIn(name, key) {
			st := f.styles[name]
			out.highlight = out.highlight || st.highlight
			if out.crop == 0 {
				out.crop = st.crop
			}
		}
	}
	f.byKey[key] = out
	return out
}

// hit prints one hit.
func (f *formatter) hit(h *scored) []byte {
	q, c := f.s.q, f.s.c
	d := c.docs[h.doc]
	b := append(make([]byte, 0, len(d.raw)+256), '{')
	b = c.appendMembers(b, d, f.shown)
	member := func(name string) {
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(appendString(b, name), ':')
	}
	if p := f.geoDistance(d); p != nil {
		member("_geoDistance")
		b = strconv.AppendInt(b, int64(math.Round(distance(*p, *d.geo))), 10)
	}
	if f.marks != nil {
		formatted, positions := f.format(d)
		if len(formatted) > len("{}") {
			member("_formatted")
			b = append(b, formatted...)
		}
		if q.ShowMatchesPosition {
			member("_matchesPosition")
			b = append(b, positions...)
		}
	}
	if q.ShowRankingScore {
		member("_rankingScore")
		b = appendFloat(b, h.score)
	}
	if q.ShowRankingScoreDetails {
		member("_rankingScoreDetails")
		b = AppendScoreDetails(b, h.scores)
	}
	return append(b, '}')
}

// geoDistance is the point to show the distance to: the first the hits are
// sorted by, when the document's place is shown.
func (f *formatter) geoDistance(d *document) *Point {
	if d.geo == nil {
		return nil
	}
	if !f.shown.all {
		id, ok := f.s.c.fields.id("_geo")
		if _, shown := f.shown.fields[id]; !ok || !shown {
			return nil
		}
	}
	for _, t := range f.s.sorts {
		if t.geo != nil {
			return t.geo
		}
	}
	return nil
}

// leafVisitor formats the texts of one document.
type leafVisitor struct {
	f         *formatter
	positions map[string][]byte // by field: list of places, without brackets
	indices   []int
}

// format makes the _formatted and the _matchesPosition of a document.
func (f *formatter) format(d *document) (formatted, positions []byte) {
	v, err := parseJSON(f.s.c.appendStored(nil, d, f.displayed))
	if err != nil {
		return []byte("{}"), []byte("{}")
	}
	lv := leafVisitor{f: f, positions: make(map[string][]byte)}
	for i, k := range v.keys {
		lv.visit(k, &v.items[i])
	}
	if f.formatted != nil {
		formatted = f.appendFormatted(&v)
	}
	positions = append(positions, '{')
	for i, k := range sortedKeys(lv.positions) {
		if i > 0 {
			positions = append(positions, ',')
		}
		positions = append(appendString(positions, k), ":["...)
		positions = append(append(positions, lv.positions[k]...), ']')
	}
	return formatted, append(positions, '}')
}

// appendFormatted prints the members of _formatted.
func (f *formatter) appendFormatted(v *jsonValue) []byte {
	b := []byte{'{'}
	for i, k := range v.keys {
		item := v.items[i]
		if s := f.formatted; !s.all {
			id, _ := f.s.c.fields.id(k)
			if _, ok := s.fields[id]; !ok {
				if item, ok = pick(&v.items[i], s.nested[id]); !ok || len(s.nested[id]) == 0 {
					continue
				}
			}
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(appendString(b, k), ':')
		b = item.appendTo(b)
	}
	return append(b, '}')
}

func (lv *leafVisitor) visit(key string, v *jsonValue) {
	switch v.kind {
	case jsonObject:
		for i, k := range v.keys {
			lv.visit(key+"."+k, &v.items[i])
		}
	case jsonArray:
		for i := range v.items {
			lv.indices = append(lv.indices, i)
			lv.visit(key, &v.items[i])
			lv.indices = lv.indices[:len(lv.indices)-1]
		}
	case jsonString, jsonNumber:
		lv.text(key, v)
	}
}

// text formats one text; numbers become texts.
func (lv *leafVisitor) text(key string, v *jsonValue) {
	f := lv.f
	st := f.styleOf(key)
	show := f.s.q.ShowMatchesPosition
	v.kind = jsonString
	if !show && !st.highlight && st.crop == 0 {
		return
	}
	tokens := f.marks.tokens(v.text)
	matches := f.marks.find(v.text, tokens)
	if show && len(matches) > 0 {
		// Of several texts of one field a server reports the last that matches.
		var b []byte
		for _, m := range matches {
			if len(b) > 0 {
				b = append(b, ',')
			}
			b = lv.appendPlace(b, tokens[m.first].start, m.length)
		}
		lv.positions[key] = b
	}
	if st.highlight || st.crop > 0 {
		v.text = f.render(v.text, tokens, matches, st.highlight, st.crop)
	}
}

func (lv *leafVisitor) appendPlace(b []byte, start, length int) []byte {
	b = strconv.AppendInt(append(b, `{"start":`...), int64(start), 10)
	b = strconv.AppendInt(append(b, `,"length":`...), int64(length), 10)
	if len(lv.indices) > 0 {
		b = append(b, `,"indices":[`...)
		for i, n := range lv.indices {
			if i > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendInt(b, int64(n), 10)
		}
		b = append(b, ']')
	}
	return append(b, '}')
}
