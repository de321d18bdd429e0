package actors

import (
	"encoding/json"
	"regexp"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/rawjson"
	"github.com/miroir-search/miroir/topology"
)

// The text that an embedder makes a vector of must not have our fields in it. By
// default it is made of all fields, so nodes are sent a template that leaves ours
// out; clients go on seeing their own.

var (
	forTag   = regexp.MustCompile(`\{%-?\s*(for|endfor)\b[^%]*%\}`)
	ofFields = regexp.MustCompile(`^\{%-?\s*for\s+(\w+)\s+in\s+fields\b`)
)

// withoutOurFields makes every loop over the fields of a template pass over ours.
func withoutOurFields(template string) string {
	var out []byte
	var ours []bool // by open loop: whether it is one over fields
	at := 0
	for _, tag := range forTag.FindAllStringSubmatchIndex(template, -1) {
		from, to := tag[0], tag[1]
		out = append(out, template[at:from]...)
		at = to
		if template[tag[2]:tag[3]] == "for" {
			loop := ofFields.FindStringSubmatch(template[from:to])
			ours = append(ours, loop != nil)
			out = append(out, template[from:to]...)
			if loop != nil {
				out = append(out, `{% if `+loop[1]+`.name != "`+topology.ShardField+`" and `+loop[1]+`.name != "`+topology.SeqField+`" %}`...)
			}
			continue
		}
		if n := len(ours); n > 0 {
			if ours[n-1] {
				out = append(out, "{% endif %}"...)
			}
			ours = ours[:n-1]
		}
		out = append(out, template[from:to]...)
	}
	return string(append(out, template[at:]...))
}

// withTemplates gives the embedders that make their own vectors a template that
// leaves our fields out. Those with fragments have no template.
func withTemplates(embedders map[string]api.Embedder) {
	for name, e := range embedders {
		source, _ := e.Source.Get()
		inner, composite := e.IndexingEmbedder.Get()
		switch {
		case source == api.SourceUserProvided || e.IndexingFragments.IsSet() || e.SearchFragments.IsSet():
			continue
		case composite:
			e.IndexingEmbedder = api.Some(json.RawMessage(withInnerTemplate(inner)))
		case source != "composite":
			template, own := e.DocumentTemplate.Get()
			if !own {
				template = api.DefaultDocumentTemplate
			}
			e.DocumentTemplate = api.Some(withoutOurFields(template))
		}
		embedders[name] = e
	}
}

// withInnerTemplate is withTemplates for the embedder inside a composite one.
func withInnerTemplate(embedder []byte) []byte {
	source, _ := rawjson.Get(embedder, "source")
	if _, fragments := rawjson.Get(embedder, "indexingFragments"); fragments || string(source) == `"`+api.SourceUserProvided+`"` || len(embedder) == 0 || embedder[0] != '{' {
		return embedder
	}
	template := api.DefaultDocumentTemplate
	if text, ok := rawjson.Get(embedder, "documentTemplate"); ok && string(text) != "null" {
		plain, err := rawjson.AppendUnquoted(nil, text)
		if err != nil {
			return embedder
		}
		template = string(plain)
	}
	return rawjson.Set(nil, embedder, "documentTemplate", rawjson.AppendString(nil, withoutOurFields(template)))
}
