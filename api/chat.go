package api

// Chat is the setting of that name, which exists while the feature of chats is on.
type Chat struct {
	Description              string     `json:"description"`
	DocumentTemplate         string     `json:"documentTemplate"`
	DocumentTemplateMaxBytes int        `json:"documentTemplateMaxBytes"`
	SearchParameters         ChatSearch `json:"searchParameters"`
}

// ChatSearch are the search parameters of a chat: only what was given is present.
type ChatSearch struct {
	Hybrid                Opt[Hybrid]   `json:"hybrid,omitzero"`
	Limit                 Opt[int]      `json:"limit,omitzero"`
	Sort                  Opt[[]string] `json:"sort,omitzero"`
	Distinct              Opt[string]   `json:"distinct,omitzero"`
	MatchingStrategy      Opt[string]   `json:"matchingStrategy,omitzero"`
	AttributesToSearchOn  Opt[[]string] `json:"attributesToSearchOn,omitzero"`
	RankingScoreThreshold Opt[float64]  `json:"rankingScoreThreshold,omitzero"`
}

// ChatPatch changes Chat member by member.
type ChatPatch struct {
	Description              Opt[string]     `json:"description,omitzero"`
	DocumentTemplate         Opt[string]     `json:"documentTemplate,omitzero"`
	DocumentTemplateMaxBytes Opt[int]        `json:"documentTemplateMaxBytes,omitzero"`
	SearchParameters         Opt[ChatSearch] `json:"searchParameters,omitzero"`
}

// DefaultDocumentTemplate is the template of embedders and chats that have none of their own.
const DefaultDocumentTemplate = "{% for field in fields %}{% if field.is_searchable and field.value != nil %}" +
	"{{ field.name }}: {{ field.value }}\n{% endif %}{% endfor %}"

const defaultTemplateBytes = 400

// DefaultChat is the setting where nothing was set.
func DefaultChat() *Chat {
	return &Chat{DocumentTemplate: DefaultDocumentTemplate, DocumentTemplateMaxBytes: defaultTemplateBytes}
}

func readChat(code string, p *ChatPatch) Into {
	return ObjectInto(code, func() []Field {
		return []Field{
			{Name: "description", Into: OptOf(code, &p.Description, Text)},
			{Name: "documentTemplate", Into: OptOf(code, &p.DocumentTemplate, Text)},
			{Name: "documentTemplateMaxBytes", Into: OptOf(code, &p.DocumentTemplateMaxBytes, Count)},
			{Name: "searchParameters", Into: OptOf(code, &p.SearchParameters, readChatSearch)},
		}
	})
}

func readChatSearch(code string, s *ChatSearch) Into {
	return ObjectInto(code, func() []Field {
		return []Field{
			{Name: "hybrid", Into: OptOf(code, &s.Hybrid, readHybrid)},
			{Name: "limit", Into: OptOf(code, &s.Limit, Count)},
			{Name: "sort", Into: OptOf(code, &s.Sort, List(Text))},
			{Name: "distinct", Into: OptOf(code, &s.Distinct, Text)},
			{Name: "matchingStrategy", Into: OptOf(code, &s.MatchingStrategy, OneOf("last", "all", "frequency"))},
			{Name: "attributesToSearchOn", Into: OptOf(code, &s.AttributesToSearchOn, List(Text))},
			{Name: "rankingScoreThreshold", Into: OptOf(code, &s.RankingScoreThreshold, threshold)},
		}
	})
}

// apply changes the setting; nil is the default.
func (c *Chat) apply(o Opt[ChatPatch]) *Chat {
	if o.IsZero() {
		return c
	}
	if o.IsNull() {
		return nil
	}
	p, n, def := o.Value(), *DefaultChat(), DefaultChat()
	if c != nil {
		n = *c
	}
	p.Description.Apply(&n.Description, def.Description)
	p.DocumentTemplate.Apply(&n.DocumentTemplate, def.DocumentTemplate)
	p.DocumentTemplateMaxBytes.Apply(&n.DocumentTemplateMaxBytes, def.DocumentTemplateMaxBytes)
	if p.SearchParameters.IsNull() {
		n.SearchParameters = ChatSearch{}
	}
	s := p.SearchParameters.Value()
	n.SearchParameters = ChatSearch{kept(s.Hybrid, n.SearchParameters.Hybrid), kept(s.Limit, n.SearchParameters.Limit),
		kept(s.Sort, n.SearchParameters.Sort), kept(s.Distinct, n.SearchParameters.Distinct),
		kept(s.MatchingStrategy, n.SearchParameters.MatchingStrategy),
		kept(s.AttributesToSearchOn, n.SearchParameters.AttributesToSearchOn),
		kept(s.RankingScoreThreshold, n.SearchParameters.RankingScoreThreshold)}
	return &n
}

// checkFeatures finds settings that belong to experimental features that are off.
func (p *SettingsPatch) checkFeatures(on func(feature string) bool) *Error {
	const composite, multimodal = "compositeEmbedders", "multimodal"
	for _, name := range sortedNames(p.Embedders.Value()) {
		e := p.Embedders.Value()[name].Value()
		for _, c := range []struct {
			used            bool
			feature, action string
		}{
			{e.Source.Value() == "composite", composite, "using `\"composite\"` as source"},
			{e.SearchEmbedder.IsSet(), composite, "setting `searchEmbedder`"},
			{e.IndexingEmbedder.IsSet(), composite, "setting `indexingEmbedder`"},
			{e.IndexingFragments.IsSet(), multimodal, "setting `indexingFragments`"},
			{e.SearchFragments.IsSet(), multimodal, "setting `searchFragments`"},
		} {
			if c.used && !on(c.feature) {
				return FeatureOff(c.feature, c.action)
			}
		}
	}
	if p.Chat.IsSet() && !on("chatCompletions") {
		return FeatureOff("chatCompletions", "setting `chat` in the index settings")
	}
	if p.ForeignKeys.IsSet() && !on("foreignKeys") {
		return FeatureOff("foreignKeys", "setting `foreignKeys` in the index settings")
	}
	return nil
}
