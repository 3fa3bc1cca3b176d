// Package task words small questions about a conversation: what it is called,
// what it is about, what could be asked next. It asks nobody.
package task

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"portico/internal/language"
)

// Kind is a question.
type Kind string

// The questions, with the JSON in which their answers come.
const (
	Title        Kind = "title"        // {"title":"…"}
	Tags         Kind = "tags"         // {"tags":["…"]}
	FollowUps    Kind = "follow_ups"   // {"follow_ups":["…"]}
	Queries      Kind = "queries"      // {"queries":["…"]}
	Emoji        Kind = "emoji"        // one emoji
	Autocomplete Kind = "autocomplete" // {"text":"…"}
	ImagePrompt  Kind = "image_prompt" // {"prompt":"…"}
)

// Message is one of a conversation.
type Message struct{ Role, Text string }

// Input is what a question is about.
type Input struct {
	Messages []Message
	Prompt   string // what is being typed, or stands alone
	Type     string // of what is being typed, as the client calls it
	Now      time.Time
}

// usual is how many of the last messages are shown where a template does not
// say, and how many bytes of each.
const (
	usual   = 6
	maxText = 8 << 10
)

// Prompt words a question by a template, or for "" by our own in the language
// of the conversation.
func Prompt(kind Kind, template string, in Input) string {
	if template == "" {
		template = own(kind, in)
	}
	return placeholder.ReplaceAllStringFunc(template, func(name string) string { return in.fill(name) })
}

// placeholder is replaced once: what it brings is never a template itself.
var placeholder = regexp.MustCompile(`(?i)\{\{\s*(MESSAGES(:(START|END):\d{1,4})?|PROMPT|TYPE|CURRENT_DATE)\s*\}\}`)

func (in *Input) fill(name string) string {
	parts := strings.Split(strings.ToUpper(strings.Trim(name, "{} ")), ":")
	switch parts[0] {
	case "PROMPT":
		return clip(in.prompt())
	case "TYPE":
		return clip(in.Type)
	case "CURRENT_DATE":
		return in.Now.Format("2006-01-02")
	}
	shown, n := in.Messages, usual
	if len(parts) == 3 {
		n, _ = strconv.Atoi(parts[2]) // digits: the expression saw to that
	}
	n = min(n, len(shown))
	if len(parts) == 3 && parts[1] == "START" {
		shown = shown[:n]
	} else {
		shown = shown[len(shown)-n:]
	}
	var b strings.Builder
	for _, m := range shown {
		b.WriteString(strings.ToUpper(m.Role) + ": " + clip(m.Text) + "\n")
	}
	return b.String()
}

// prompt is what is typed, else the last thing that the user said.
func (in *Input) prompt() string {
	if in.Prompt != "" {
		return in.Prompt
	}
	for i := len(in.Messages) - 1; i >= 0; i-- {
		if in.Messages[i].Role == "user" {
			return in.Messages[i].Text
		}
	}
	return ""
}

func clip(text string) string {
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText], "") + " […]"
}

func own(kind Kind, in Input) string {
	english, portuguese := wording(kind)
	if language.Portuguese(in.prompt()) {
		return portuguese
	}
	return english
}

// wording gives our own templates.
func wording(kind Kind) (english, portuguese string) {
	const (
		talk     = "\n\nConversation:\n{{MESSAGES}}"
		conversa = "\n\nConversa:\n{{MESSAGES}}"
	)
	switch kind {
	case Title:
		return `Name the conversation below in three to six words, in its own language, with one fitting emoji in front. Say what it is about, not that it is a conversation. Answer with JSON alone: {"title":"…"}` + talk,
			`Dê um nome à conversa abaixo, de três a seis palavras, com um emoji adequado na frente. Diga do que ela trata, não que é uma conversa. Responda somente com JSON: {"title":"…"}` + conversa
	case Tags:
		return `List one to three broad subjects of the conversation below and, if they are plain, one to three narrower ones, each in one or two words of its own language. If there is none, use "General". Answer with JSON alone: {"tags":["…"]}` + talk,
			`Liste de um a três assuntos gerais da conversa abaixo e, se forem claros, de um a três mais específicos, cada um em uma ou duas palavras. Se não houver nenhum, use "Geral". Responda somente com JSON: {"tags":["…"]}` + conversa
	case FollowUps:
		return `Write three to five short questions that the user could well ask next, as the user would put them, in the language of the conversation. Do not repeat what was answered. Answer with JSON alone: {"follow_ups":["…"]}` + talk,
			`Escreva de três a cinco perguntas curtas que o usuário poderia fazer a seguir, do ponto de vista dele. Não repita o que já foi respondido. Responda somente com JSON: {"follow_ups":["…"]}` + conversa
	case Queries:
		return `Today is {{CURRENT_DATE}}. Write up to three short search queries, each of which can be understood alone, that would find what the last message of the user needs. If nothing needs to be looked up, give none. Answer with JSON alone: {"queries":["…"]}` + talk,
			`Hoje é {{CURRENT_DATE}}. Escreva até três consultas de busca curtas, cada uma compreensível sozinha, que encontrariam o que a última mensagem do usuário precisa. Se nada precisar ser procurado, não dê nenhuma. Responda somente com JSON: {"queries":["…"]}` + conversa
	case Emoji:
		return "Answer with the one emoji that shows best what this text feels like, and nothing else.\n\nText: {{PROMPT}}",
			"Responda com o único emoji que melhor mostra o sentimento deste texto, e nada mais.\n\nTexto: {{PROMPT}}"
	case Autocomplete:
		return `Continue the text that the user is typing (kind: {{TYPE}}) with a few words, in its language, without repeating it. If nothing is plain, give an empty text. Answer with JSON alone: {"text":"…"}` + talk + "\nText: {{PROMPT}}",
			`Continue com poucas palavras o texto que o usuário está digitando (tipo: {{TYPE}}), sem repeti-lo. Se nada for claro, dê um texto vazio. Responda somente com JSON: {"text":"…"}` + conversa + "\nTexto: {{PROMPT}}"
	case ImagePrompt:
		return `Describe in detail, in one paragraph, the picture that the conversation below asks for. Answer with JSON alone: {"prompt":"…"}` + talk,
			`Descreva em detalhe, em um parágrafo, a imagem que a conversa abaixo pede. Responda somente com JSON: {"prompt":"…"}` + conversa
	}
	return "{{PROMPT}}", "{{PROMPT}}"
}
