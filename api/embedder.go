package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Embedder is the configuration of one embedder, stored or changed: only the members that were given are present.
type Embedder struct {
	Source                   Opt[string]            `json:"source,omitzero"`
	Model                    Opt[string]            `json:"model,omitzero"`
	Revision                 Opt[string]            `json:"revision,omitzero"`
	Pooling                  Opt[string]            `json:"pooling,omitzero"`
	APIKey                   Opt[string]            `json:"apiKey,omitzero"`
	Dimensions               Opt[int]               `json:"dimensions,omitzero"`
	BinaryQuantized          Opt[bool]              `json:"binaryQuantized,omitzero"`
	DocumentTemplate         Opt[string]            `json:"documentTemplate,omitzero"`
	DocumentTemplateMaxBytes Opt[int]               `json:"documentTemplateMaxBytes,omitzero"`
	URL                      Opt[string]            `json:"url,omitzero"`
	IndexingFragments        Opt[json.RawMessage]   `json:"indexingFragments,omitzero"`
	SearchFragments          Opt[json.RawMessage]   `json:"searchFragments,omitzero"`
	Request                  Opt[json.RawMessage]   `json:"request,omitzero"`
	Response                 Opt[json.RawMessage]   `json:"response,omitzero"`
	Headers                  Opt[map[string]string] `json:"headers,omitzero"`
	SearchEmbedder           Opt[json.RawMessage]   `json:"searchEmbedder,omitzero"`
	IndexingEmbedder         Opt[json.RawMessage]   `json:"indexingEmbedder,omitzero"`
	Distribution             Opt[Distribution]      `json:"distribution,omitzero"`
}

// Distribution describes how an embedder's similarities are spread.
type Distribution struct {
	Mean  float64 `json:"mean"`
	Sigma float64 `json:"sigma"`
}

// SourceUserProvided is the source of embedders whose vectors come with the documents.
const SourceUserProvided = "userProvided"

func embedderSources() []string {
	return []string{"openAi", "huggingFace", "ollama", SourceUserProvided, "rest", "composite"}
}

// ReadEmbedder reads one member of the embedders setting.
func ReadEmbedder(code string, e *Embedder) Into {
	return ObjectInto(code, func() []Field {
		return []Field{
			{Name: "source", Into: OptOf(code, &e.Source, OneOf(embedderSources()...))},
			{Name: "model", Into: OptOf(code, &e.Model, Text)},
			{Name: "revision", Into: OptOf(code, &e.Revision, Text)},
			{Name: "pooling", Into: OptOf(code, &e.Pooling, OneOf("useModel", "forceCls", "forceMean"))},
			{Name: "apiKey", Into: OptOf(code, &e.APIKey, Text)},
			{Name: "dimensions", Into: OptOf(code, &e.Dimensions, Count)},
			{Name: "binaryQuantized", Into: OptOf(code, &e.BinaryQuantized, Bool)},
			{Name: "documentTemplate", Into: OptOf(code, &e.DocumentTemplate, Text)},
			{Name: "documentTemplateMaxBytes", Into: OptOf(code, &e.DocumentTemplateMaxBytes, Count)},
			{Name: "url", Into: OptOf(code, &e.URL, Text)},
			{Name: "indexingFragments", Into: OptOf(code, &e.IndexingFragments, RawJSON)},
			{Name: "searchFragments", Into: OptOf(code, &e.SearchFragments, RawJSON)},
			{Name: "request", Into: OptOf(code, &e.Request, RawJSON)},
			{Name: "response", Into: OptOf(code, &e.Response, RawJSON)},
			{Name: "headers", Into: OptOf(code, &e.Headers, Map(Text))},
			{Name: "searchEmbedder", Into: OptOf(code, &e.SearchEmbedder, RawJSON)},
			{Name: "indexingEmbedder", Into: OptOf(code, &e.IndexingEmbedder, RawJSON)},
			{Name: "distribution", Into: OptOf(code, &e.Distribution, readDistribution)},
		}
	})
}

// RawJSON keeps the text of any value, compacted.
func RawJSON(_ string, dst *json.RawMessage) Into {
	return func(v Value, _ At) *Error {
		*dst = v.append(nil)
		return nil
	}
}

func readDistribution(code string, d *Distribution) Into {
	return func(v Value, at At) *Error {
		err := DecodeObject(v, at, code, []Field{
			{Name: "mean", Into: Number(code, &d.Mean), Required: true},
			{Name: "sigma", Into: Number(code, &d.Sigma), Required: true},
		})
		switch {
		case err != nil:
			return err
		case d.Mean < 0 || d.Mean > 1:
			return Invalid(code, at, fmt.Sprintf("the distribution mean must be in the range [0, 1], got %v", d.Mean))
		case d.Sigma <= 0 || d.Sigma > 1:
			return Invalid(code, at, fmt.Sprintf("the distribution sigma must be in the range ]0, 1], got %v", d.Sigma))
		}
		return nil
	}
}

// embedderField says which sources know a member, and which demand it.
type embedderField struct {
	name      string
	allowed   string // sources, separated by spaces; "*" for all
	mandatory string
	get       func(e *Embedder) (present, set bool)
}

func has[T any](o Opt[T]) (bool, bool) { return !o.IsZero(), o.IsSet() }

// embedderFields is in the order Meilisearch checks members; it is never changed.
var embedderFields = []embedderField{
	{"model", "openAi huggingFace ollama", "ollama", func(e *Embedder) (bool, bool) { return has(e.Model) }},
	{"revision", "huggingFace", "", func(e *Embedder) (bool, bool) { return has(e.Revision) }},
	{"pooling", "huggingFace", "", func(e *Embedder) (bool, bool) { return has(e.Pooling) }},
	{"dimensions", "openAi ollama userProvided rest", "userProvided",
		func(e *Embedder) (bool, bool) { return has(e.Dimensions) }},
	{"apiKey", "openAi ollama rest", "", func(e *Embedder) (bool, bool) { return has(e.APIKey) }},
	{"url", "openAi ollama rest", "rest", func(e *Embedder) (bool, bool) { return has(e.URL) }},
	{"indexingFragments", "rest", "", func(e *Embedder) (bool, bool) { return has(e.IndexingFragments) }},
	{"searchFragments", "rest", "", func(e *Embedder) (bool, bool) { return has(e.SearchFragments) }},
	{"request", "rest", "rest", func(e *Embedder) (bool, bool) { return has(e.Request) }},
	{"response", "rest", "rest", func(e *Embedder) (bool, bool) { return has(e.Response) }},
	{"documentTemplate", "openAi huggingFace ollama rest", "",
		func(e *Embedder) (bool, bool) { return has(e.DocumentTemplate) }},
	{"documentTemplateMaxBytes", "openAi huggingFace ollama rest", "",
		func(e *Embedder) (bool, bool) { return has(e.DocumentTemplateMaxBytes) }},
	{"headers", "rest", "", func(e *Embedder) (bool, bool) { return has(e.Headers) }},
	{"searchEmbedder", "composite", "composite", func(e *Embedder) (bool, bool) { return has(e.SearchEmbedder) }},
	{"indexingEmbedder", "composite", "composite", func(e *Embedder) (bool, bool) { return has(e.IndexingEmbedder) }},
}

// embedderFieldNames is the order in which error texts list members.
func embedderFieldNames() []string {
	return []string{"source", "model", "revision", "pooling", "apiKey", "dimensions", "documentTemplate",
		"documentTemplateMaxBytes", "url", "indexingFragments", "searchFragments", "request", "response", "headers",
		"searchEmbedder", "indexingEmbedder", "distribution", "binaryQuantized"}
}

func sourceAllows(field, source string) bool {
	i := slices.IndexFunc(embedderFields, func(f embedderField) bool { return f.name == field })
	return i < 0 || slices.Contains(strings.Fields(embedderFields[i].allowed), source)
}

const codeEmbedders = "invalid_settings_embedders"

// checkEmbedders finds what is wrong with each changed embedder by itself.
func checkEmbedders(all map[string]Opt[Embedder]) *Error {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		e, ok := all[name].Get()
		if !ok {
			continue
		}
		if dim, ok := e.Dimensions.Get(); ok && dim == 0 {
			return Errorf(codeEmbedders, "`.embedders.%s.dimensions`: `dimensions` cannot be zero", name)
		}
		if source, ok := e.Source.Get(); ok {
			if err := e.checkSource(name, source); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkSource finds members that the source does not know or demands.
func (e *Embedder) checkSource(name, source string) *Error {
	for _, f := range embedderFields {
		present, set := f.get(e)
		if present && !slices.Contains(strings.Fields(f.allowed), source) {
			return unavailableField(name, f.name, source)
		}
		if f.mandatory == source && !set {
			return Errorf(codeEmbedders, "`.embedders.%s`: Missing field `%s` (note: this field is mandatory for source `%s`)",
				name, f.name, source)
		}
	}
	return nil
}

func unavailableField(embedder, field, source string) *Error {
	var sources, fields []string
	for _, s := range embedderSources() {
		if sourceAllows(field, s) {
			sources = append(sources, s)
		}
	}
	for _, f := range embedderFieldNames() {
		if sourceAllows(f, source) {
			fields = append(fields, f)
		}
	}
	return Errorf(codeEmbedders, "`.embedders.%s`: Field `%s` unavailable for source `%s`.\n  - note: `%s` is available for "+
		"sources: %s\n  - note: available fields for source `%s`: %s", embedder, field, source, field, quoteList(sources),
		source, quoteList(fields))
}

// applyEmbedders merges a change by name and by member; a source that changes drops what was there.
func applyEmbedders(stored map[string]Embedder, o Opt[map[string]Opt[Embedder]]) (map[string]Embedder, *Error) {
	if o.IsNull() {
		return map[string]Embedder{}, nil
	}
	changes, ok := o.Get()
	if !ok {
		return stored, nil
	}
	out := maps.Clone(stored)
	if out == nil {
		out = make(map[string]Embedder, len(changes))
	}
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		change, ok := changes[name].Get()
		if !ok {
			delete(out, name)
			continue
		}
		merged, err := out[name].merge(name, change)
		if err != nil {
			return nil, err
		}
		out[name] = merged
	}
	return out, nil
}

func sortedNames[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }

func (e Embedder) merge(name string, c Embedder) (Embedder, *Error) {
	source := c.Source.Or(e.Source)
	if !source.IsSet() {
		source = Some("openAi")
	}
	if source.Value() != e.Source.Value() {
		e = Embedder{}
	}
	if e.BinaryQuantized.Value() && !c.BinaryQuantized.IsZero() && !c.BinaryQuantized.Value() {
		return e, Errorf(codeEmbedders, "`.embedders.%s.binaryQuantized`: Cannot disable the binary quantization.\n - Note: "+
			"Binary quantization is a lossy operation that cannot be reverted.\n - Hint: Add a new embedder that is "+
			"non-quantized and regenerate the vectors.", name)
	}
	m := Embedder{
		Source: source, Model: kept(c.Model, e.Model), Revision: kept(c.Revision, e.Revision),
		Pooling: kept(c.Pooling, e.Pooling), APIKey: kept(c.APIKey, e.APIKey), Dimensions: kept(c.Dimensions, e.Dimensions),
		BinaryQuantized: kept(c.BinaryQuantized, e.BinaryQuantized), DocumentTemplate: kept(c.DocumentTemplate, e.DocumentTemplate),
		DocumentTemplateMaxBytes: kept(c.DocumentTemplateMaxBytes, e.DocumentTemplateMaxBytes), URL: kept(c.URL, e.URL),
		IndexingFragments: kept(c.IndexingFragments, e.IndexingFragments), SearchFragments: kept(c.SearchFragments, e.SearchFragments),
		Request: kept(c.Request, e.Request), Response: kept(c.Response, e.Response), Headers: kept(c.Headers, e.Headers),
		SearchEmbedder: kept(c.SearchEmbedder, e.SearchEmbedder), IndexingEmbedder: kept(c.IndexingEmbedder, e.IndexingEmbedder),
		Distribution: kept(c.Distribution, e.Distribution),
	}
	return m, m.checkSource(name, source.Value())
}

// kept is the changed member, the stored one when it was not sent, or nothing when it was reset.
func kept[T any](change, stored Opt[T]) Opt[T] {
	if change.IsNull() {
		return Opt[T]{}
	}
	return change.Or(stored)
}

func maskedEmbedders(all map[string]Embedder) map[string]Embedder {
	out := make(map[string]Embedder, len(all))
	for name, e := range all {
		out[name] = e.withDefaults().masked()
	}
	return out
}

// withDefaults adds the members that reading shows although nobody gave them.
func (e Embedder) withDefaults() Embedder {
	source := e.Source.Value()
	switch source {
	case SourceUserProvided, "composite":
		return e
	case "openAi":
		e.Model = e.Model.Or(Some("text-embedding-3-small"))
	case "huggingFace":
		if !e.Model.IsSet() {
			e.Model, e.Revision = Some("BAAI/bge-base-en-v1.5"), e.Revision.Or(Some("617ca489d9e86b49b8167676d8220688b99db36e"))
		}
		e.Pooling = e.Pooling.Or(Some("useModel"))
	case "rest":
		e.Headers = e.Headers.Or(Some(map[string]string{}))
	}
	if !e.IndexingFragments.IsSet() && !e.SearchFragments.IsSet() {
		e.DocumentTemplate = e.DocumentTemplate.Or(Some(DefaultDocumentTemplate))
		e.DocumentTemplateMaxBytes = e.DocumentTemplateMaxBytes.Or(Some(defaultTemplateBytes))
	}
	return e
}

func (e Embedder) masked() Embedder {
	if key, ok := e.APIKey.Get(); ok {
		e.APIKey = Some(HideSecret(key))
	}
	return e
}

// Masked returns the settings as clients may see them: keys of embedders are cut.
func (s *Settings) Masked() *Settings {
	n := *s
	n.Embedders = maskedEmbedders(s.Embedders)
	return &n
}

// Masked returns the change as task details show it: keys of embedders are cut.
func (p *SettingsPatch) Masked() *SettingsPatch {
	all, ok := p.Embedders.Get()
	if !ok {
		return p
	}
	n, out := *p, make(map[string]Opt[Embedder], len(all))
	for name, o := range all {
		if e, ok := o.Get(); ok {
			o = Some(e.masked())
		}
		out[name] = o
	}
	n.Embedders = Some(out)
	return &n
}

// HideSecret keeps the first 0, 2, 3 or 5 bytes of a secret, by its length, and never half a character.
func HideSecret(s string) string {
	keep, mask := 5, "XXXXXX..."
	switch n := len(s); {
	case n < 10:
		return "XXX..."
	case n < 20:
		keep, mask = 2, "XXXX..."
	case n < 30:
		keep, mask = 3, "XXXXX..."
	}
	for keep < len(s) && s[keep]&0xC0 == 0x80 {
		keep++
	}
	return s[:keep] + mask
}
