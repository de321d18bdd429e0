package engine

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/miroir-search/miroir/embedded/filter"
)

// reserved reads the place and the vectors of a document, as far as the
// settings make them matter, and refuses what a real server refuses.
func (x *extractor) reserved(d *document, v *jsonValue, old *document) error {
	if g := v.get("_geo"); g != nil && x.cfg.geoEnabled() {
		p, err := readGeo(d.id, g)
		if err != nil {
			return err
		}
		d.geo = p
	}
	x.asking = x.asking[:0]
	if vs := v.get("_vectors"); vs != nil {
		if err := x.readVectors(d, vs); err != nil {
			return err
		}
	}
	x.keepVectors(d, old)
	return nil
}

// withoutVectors is the document as it is stored: without the vectors of
// embedders, which are kept apart.
func (x *extractor) withoutVectors(v *jsonValue) *jsonValue {
	vs := v.get("_vectors")
	if vs == nil || vs.kind == jsonObject && len(vs.keys) > 0 && !x.ownsAny(vs) {
		return v
	}
	rest := jsonValue{kind: jsonObject}
	for i, k := range vs.keys {
		if _, ok := x.cfg.Embedders[k]; !ok {
			rest.keys, rest.items = append(rest.keys, k), append(rest.items, vs.items[i])
		}
	}
	out := jsonValue{kind: jsonObject}
	for i, k := range v.keys {
		switch {
		case k != "_vectors":
			out.keys, out.items = append(out.keys, k), append(out.items, v.items[i])
		case len(rest.keys) > 0:
			out.keys, out.items = append(out.keys, k), append(out.items, rest)
		}
	}
	return &out
}

func (x *extractor) ownsAny(vs *jsonValue) bool {
	for _, k := range vs.keys {
		if _, ok := x.cfg.Embedders[k]; ok {
			return true
		}
	}
	return false
}

// restoreVectors puts the vectors of embedders that are gone back into a
// stored document.
func (x *extractor) restoreVectors(v *jsonValue, d *document) {
	for _, name := range sortedKeys(d.vectors) {
		if _, ok := x.cfg.Embedders[name]; ok {
			continue
		}
		vs := v.get("_vectors")
		if vs == nil || vs.kind != jsonObject {
			v.keys = append(v.keys, "_vectors")
			v.items = append(v.items, jsonValue{kind: jsonObject})
			vs = &v.items[len(v.items)-1]
		}
		e, err := parseJSON(appendEmbeddings(nil, d.vectors[name]))
		if err != nil || vs.get(name) != nil {
			continue
		}
		vs.keys, vs.items = append(vs.keys, name), append(vs.items, e)
	}
}

// keepVectors carries vectors over from the document that is replaced, and
// notes the embedders that are left without.
func (x *extractor) keepVectors(d, old *document) {
	for name := range x.cfg.Embedders {
		e, said := d.vectors[name]
		if said && e.left {
			e = embeddings{}
			if old != nil {
				e = old.vectors[name]
			}
			d.setVectors(name, e)
		}
		if said {
			continue
		}
		if old != nil {
			if e, ok := old.vectors[name]; ok && !e.regenerate && !slices.Contains(x.asking, name) {
				d.setVectors(name, e)
				continue
			}
		}
		d.setVectors(name, embeddings{}) // as if it had opted out
		if x.lacking == nil {
			x.lacking = make(map[string][]string)
		}
		x.lacking[name] = append(x.lacking[name], d.id)
	}
}

func (d *document) setVectors(name string, e embeddings) {
	if d.vectors == nil {
		d.vectors = make(map[string]embeddings)
	}
	d.vectors[name] = e
}

// settleVectors refuses a batch some of whose documents have no vectors.
func (x *extractor) settleVectors() error {
	lacking := x.lacking
	x.lacking = nil
	names := sortedKeys(lacking)
	if len(names) == 0 {
		return nil
	}
	return lackingVectors(names[0], lacking[names[0]])
}

// lackingVectors is the error of documents without vectors that must have some.
func lackingVectors(name string, ids []string) error {
	more := ""
	if len(ids) > 1 {
		more = fmt.Sprintf(" and at least %d other document(s)", len(ids)-1)
	}
	return &Error{Code: "vector_embedding_error", OfIndex: true, Message: fmt.Sprintf("While embedding documents for embedder `%s`: no vectors provided for document `%s`%s\n- Note: `%s` has `source: userProvided`, so documents must provide embeddings as an array in `_vectors.%s`.\n- Hint: opt-out for a document with `_vectors.%s: null`", name, ids[0], more, name, name, name)}
}

func text(v *jsonValue) string { return string(v.appendTo(nil)) }

func geoError(format string, args ...any) error {
	return &Error{Code: "invalid_document_geo_field", OfIndex: true, Message: fmt.Sprintf(format, args...)}
}

// readGeo reads a _geo member; nil for null.
func readGeo(id string, g *jsonValue) (*Point, error) {
	doc := string(appendString(nil, id))
	switch g.kind {
	case jsonNull:
		return nil, nil
	case jsonObject:
	default:
		return nil, geoError("The `_geo` field in the document with the id: `%s` is not an object. Was expecting an object with the `_geo.lat` and `_geo.lng` fields but instead got `%s`.", doc, text(g))
	}
	lat, lng := g.get("lat"), g.get("lng")
	switch {
	case lat == nil && lng == nil:
		return nil, geoError("Could not find latitude nor longitude in the document with the id: `%s`. Was expecting `_geo.lat` and `_geo.lng` fields.", doc)
	case lat == nil:
		return nil, geoError("Could not find latitude in the document with the id: `%s`. Was expecting a `_geo.lat` field.", doc)
	case lng == nil:
		return nil, geoError("Could not find longitude in the document with the id: `%s`. Was expecting a `_geo.lng` field.", doc)
	case len(g.keys) > 2:
		rest := jsonValue{kind: jsonObject}
		for i, k := range g.keys {
			if k != "lat" && k != "lng" {
				rest.keys, rest.items = append(rest.keys, k), append(rest.items, g.items[i])
			}
		}
		return nil, geoError("The `_geo` field in the document with the id: `%s` contains the following unexpected fields: `%s`.", doc, text(&rest))
	}
	a, okA := coordinate(lat)
	b, okB := coordinate(lng)
	switch {
	case !okA && !okB:
		return nil, geoError("Could not parse latitude nor longitude in the document with the id: `%s`. Was expecting finite numbers but instead got `%s` and `%s`.", doc, text(lat), text(lng))
	case !okA:
		return nil, geoError("Could not parse latitude in the document with the id: `%s`. Was expecting a finite number but instead got `%s`.", doc, text(lat))
	case !okB:
		return nil, geoError("Could not parse longitude in the document with the id: `%s`. Was expecting a finite number but instead got `%s`.", doc, text(lng))
	}
	return &Point{a, b}, nil
}

func coordinate(v *jsonValue) (float64, bool) {
	switch v.kind {
	case jsonNumber:
		return v.num, true
	case jsonString:
		f, err := filter.ParseFloat(v.text)
		return f, err == nil
	}
	return 0, false
}

func (x *extractor) readVectors(d *document, vs *jsonValue) error {
	if vs.kind != jsonObject {
		column := len(text(vs)) // where the decoder stands
		if vs.kind == jsonArray {
			column = 0
		}
		return &Error{Code: "internal", OfIndex: true, Message: fmt.Sprintf("invalid type: %s, expected a map at line 1 column %d", serdeKind(vs), column)}
	}
	x.asking = x.asking[:0]
	names := make([]int, len(vs.keys))
	for i := range names {
		names[i] = i
	}
	sort.Slice(names, func(i, j int) bool { return vs.keys[names[i]] < vs.keys[names[j]] })
	for _, i := range names {
		name := vs.keys[i]
		e, ok := x.cfg.Embedders[name]
		if !ok {
			continue
		}
		given, ok, err := readEmbeddings(d.id, name, &vs.items[i])
		if err != nil {
			return err
		}
		for n, vec := range given.list {
			if e.Dimensions > 0 && len(vec) != e.Dimensions {
				return &Error{Code: "invalid_vector_dimensions", OfIndex: true, Message: fmt.Sprintf("Invalid vector dimensions in document with id `%s` in `._vectors.%s`.\n  - note: embedding #%d has dimensions %d\n  - note: embedder `%s` requires %d", d.id, name, n, len(vec), name, e.Dimensions)}
			}
			if e.BinaryQuantized {
				quantize(vec)
			}
		}
		if ok {
			d.setVectors(name, given)
		} else {
			x.asking = append(x.asking, name)
		}
	}
	return nil
}

// quantize leaves one bit of every dimension: its sign.
func quantize(v []float32) {
	for i := range v {
		if v[i] > 0 {
			v[i] = 1
		} else {
			v[i] = -1
		}
	}
}

func vectorsError(id, format string, args ...any) error {
	return &Error{Code: "invalid_vectors_type", OfIndex: true, Message: fmt.Sprintf("Bad embedder configuration in the document with id: `%s`. %s", id, fmt.Sprintf(format, args...))}
}

func kindText(v *jsonValue) string {
	switch v.kind {
	case jsonNull:
		return "null"
	case jsonBool:
		return "a boolean: `" + v.text + "`"
	case jsonNumber:
		kind := "a positive integer"
		switch {
		case strings.ContainsAny(v.text, ".eE"):
			kind = "a number"
		case v.text[0] == '-':
			kind = "a negative integer"
		}
		return kind + ": `" + v.text + "`"
	case jsonString:
		return "a string: `" + text(v) + "`"
	case jsonArray:
		return "an array: `" + text(v) + "`"
	default:
		return "an object: `" + text(v) + "`"
	}
}

// scalarKind names a value that can be no vector at all.
func scalarKind(v *jsonValue) (string, bool) {
	switch v.kind {
	case jsonBool:
		return "boolean", true
	case jsonNumber:
		if strings.ContainsAny(v.text, ".eE") {
			return "number", true
		}
		return "integer", true
	case jsonString:
		return "string", true
	default:
		return "", false
	}
}

// columnOf is where the real server's decoder stands when it dislikes a member of an
// object: behind a scalar, before anything else.
func columnOf(object *jsonValue, key string) int {
	at := 1
	for i, k := range object.keys {
		at += len(appendString(nil, k)) + 1
		if v := &object.items[i]; k == key {
			if v.kind == jsonArray || v.kind == jsonObject {
				return at
			}
			return at + len(text(v))
		}
		at += len(text(&object.items[i])) + 1
	}
	return at
}

// serdeKind names a value as the real server's decoder does.
func serdeKind(v *jsonValue) string {
	switch v.kind {
	case jsonNull:
		return "null"
	case jsonBool:
		return "boolean `" + v.text + "`"
	case jsonNumber:
		if strings.ContainsAny(v.text, ".eE") {
			return "floating point `" + v.text + "`"
		}
		return "integer `" + v.text + "`"
	case jsonString:
		return "string " + text(v)
	case jsonObject:
		return "map"
	default:
		return "sequence"
	}
}

// readEmbeddings reads what a document says under one embedder: one vector,
// several, null for none, or an object with embeddings and regenerate, which without
// embeddings leaves those that there are. It reports false when the vectors would have
// to be generated.
func readEmbeddings(id, name string, v *jsonValue) (embeddings, bool, error) {
	at := "._vectors." + name
	var out embeddings
	if kind, scalar := scalarKind(v); scalar {
		return out, false, vectorsError(id, "Expected `%s` to be an array of floats, an array of arrays of floats, or an object with at least the field `regenerate`, but got the %s `%s`", at, kind, strings.Trim(text(v), `"`))
	}
	if v.kind == jsonObject {
		for _, k := range v.keys {
			if k != "embeddings" && k != "regenerate" {
				return out, false, vectorsError(id, "Unexpected field `%s.%s`\n  - note: the allowed fields are `regenerate` and `embeddings`", at, k)
			}
		}
		r := v.get("regenerate")
		if r == nil {
			return out, false, vectorsError(id, "Missing field `%s.regenerate`\n  - note: `%s` must be an array of floats, an array of arrays of floats, or an object with field `regenerate`", at, at)
		}
		if r.kind != jsonBool {
			return out, false, vectorsError(id, "Could not parse `%s.regenerate`: invalid type: %s, expected a boolean at line 1 column %d", at, serdeKind(r), columnOf(v, "regenerate"))
		}
		out.regenerate = r.text == "true"
		e := v.get("embeddings")
		if e == nil || e.kind == jsonNull {
			out.left = !out.regenerate
			return out, out.left, nil
		}
		v, at = e, at+".embeddings"
	}
	var err error
	out.list, err = readVectorList(id, at, v)
	return out, true, err
}

func readVectorList(id, at string, v *jsonValue) ([][]float32, error) {
	switch v.kind {
	case jsonNull:
		return nil, nil
	case jsonArray:
	default:
		return nil, vectorsError(id, "Invalid value type at `%s`: expected null or an array, but found %s", at, kindText(v))
	}
	if len(v.items) == 0 {
		return nil, nil
	}
	if first := &v.items[0]; first.kind != jsonArray {
		if first.kind != jsonNumber {
			return nil, vectorsError(id, "Invalid value type at `%s[0]`: expected a number or an array, but found %s", at, kindText(first))
		}
		vec, err := readVector(id, at, v)
		return [][]float32{vec}, err
	}
	out := make([][]float32, len(v.items))
	for i := range v.items {
		vec, err := readVector(id, fmt.Sprintf("%s[%d]", at, i), &v.items[i])
		if err != nil {
			return nil, err
		}
		out[i] = vec
	}
	return out, nil
}

func readVector(id, at string, v *jsonValue) ([]float32, error) {
	if v.kind != jsonArray {
		return nil, vectorsError(id, "Invalid value type at `%s`: expected an array, but found %s", at, kindText(v))
	}
	out := make([]float32, len(v.items))
	for i := range v.items {
		if v.items[i].kind != jsonNumber {
			return nil, vectorsError(id, "Invalid value type at `%s[%d]`: expected a number, but found %s", at, i, kindText(&v.items[i]))
		}
		out[i] = float32(v.items[i].num)
	}
	return out, nil
}
