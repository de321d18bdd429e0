package embedded

import (
	"strings"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/embedded/engine"
)

// appendScoreValues writes what a proxy compares hits by.
func appendScoreValues(b []byte, values []engine.ScoreValue) []byte {
	b = append(b, '[')
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		switch v.Kind {
		case engine.RuleSort:
			b = appendSort(b, v.Asc, sortText(v.Value))
		case engine.RuleGeo:
			b = appendGeoSort(b, v.Asc, v.Distance)
		case engine.RuleVector:
			b = append(append(b, `{"vectorSort":`...), api.FormatFloat(v.Score)...)
			b = append(b, '}')
		default:
			b = append(append(b, `{"weightedScore":`...), api.FormatFloat(v.Score)...)
			b = append(b, '}')
		}
	}
	return append(b, ']')
}

func sortText(v any) string {
	switch v := v.(type) {
	case float64:
		return api.FormatFloat(v)
	case string:
		return api.QuoteJSON(v)
	default:
		return "null"
	}
}

func appendSort(b []byte, asc bool, value string) []byte {
	b = append(b, `{"sort":{"asc":`...)
	b = appendBool(b, asc)
	b = append(append(b, `,"value":`...), value...)
	return append(b, '}', '}')
}

func appendGeoSort(b []byte, asc bool, distance *float64) []byte {
	b = append(b, `{"geoSort":{"asc":`...)
	b = appendBool(b, asc)
	text := "null"
	if distance != nil {
		text = api.FormatFloat(*distance)
	}
	b = append(append(b, `,"distance":`...), text...)
	return append(b, '}', '}')
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, "true"...)
	}
	return append(b, "false"...)
}

// document is the stored document, or nil.
func (x *index) document(id string) *api.Value {
	raw, ok := x.engine.Document(id)
	if !ok {
		return nil
	}
	v, err := api.ParseJSON(raw)
	if err != nil {
		return nil
	}
	return &v
}

// leafValues collects the texts, numbers and booleans of a field, through arrays and nested objects.
func leafValues(doc *api.Value, path string) []api.Value {
	if doc == nil {
		return nil
	}
	var out []api.Value
	var leaf func(v *api.Value)
	leaf = func(v *api.Value) {
		switch v.Kind {
		case api.Array:
			for i := range v.Arr {
				leaf(&v.Arr[i])
			}
		case api.Null, api.Object:
		default:
			out = append(out, *v)
		}
	}
	var walk func(v *api.Value, path string)
	walk = func(v *api.Value, path string) {
		if v.Kind == api.Array {
			for i := range v.Arr {
				walk(&v.Arr[i], path)
			}
		}
		for i := range v.Obj {
			key := v.Obj[i].Key
			if key == path {
				leaf(&v.Obj[i].Value)
			} else if rest, found := strings.CutPrefix(path, key+"."); found {
				walk(&v.Obj[i].Value, rest)
			}
		}
	}
	walk(doc, path)
	return out
}

// facetKey tells values apart as facets do: texts without their spelling, numbers apart from texts.
func facetKey(v api.Value) string {
	if v.Kind == api.String {
		return "s" + engine.NormalizeFacet(v.Str)
	}
	if v.Kind == api.Boolean {
		return "s" + v.String()
	}
	return "n" + v.String()
}

// browseScores are the sort values of a document for a proxy that merges pages of documents.
func (x *index) browseScores(id string, sort []string) []byte {
	doc := x.document(id)
	b := []byte{'['}
	for i, s := range sort {
		if i > 0 {
			b = append(b, ',')
		}
		field, asc := strings.CutSuffix(s, ":asc")
		if !asc {
			field = strings.TrimSuffix(s, ":desc")
		}
		if point, geo := strings.CutPrefix(field, "_geoPoint("); geo {
			b = appendGeoSort(b, asc, distanceTo(doc, strings.TrimSuffix(point, ")")))
			continue
		}
		b = appendSort(b, asc, bestValue(leafValues(doc, field), asc))
	}
	return append(b, ']')
}

// bestValue is the text of the value that a document is sorted by.
func bestValue(values []api.Value, asc bool) string {
	best, text := any(nil), "null"
	for _, v := range values {
		var key any = v.Num
		shown := v.String()
		if v.Kind == api.String || v.Kind == api.Boolean {
			key = strings.TrimPrefix(facetKey(v), "s")
			shown = api.QuoteJSON(strings.TrimPrefix(facetKey(v), "s"))
		}
		if best == nil || engine.CompareSortValues(key, best, asc) < 0 {
			best, text = key, shown
		}
	}
	return text
}

func distanceTo(doc *api.Value, point string) *float64 {
	lat, lng, found := strings.Cut(point, ",")
	target, err := api.ParseJSON([]byte("[" + strings.TrimSpace(lat) + "," + strings.TrimSpace(lng) + "]"))
	if !found || err != nil || len(target.Arr) != 2 {
		return nil
	}
	lats, lngs := leafValues(doc, "_geo.lat"), leafValues(doc, "_geo.lng")
	if len(lats) != 1 || len(lngs) != 1 || lats[0].Kind == api.String || lngs[0].Kind == api.String {
		return nil
	}
	d := engine.Distance(engine.Point{Lat: target.Arr[0].Num, Lng: target.Arr[1].Num}, engine.Point{Lat: lats[0].Num, Lng: lngs[0].Num})
	return &d
}
