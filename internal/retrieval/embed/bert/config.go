package bert

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Config is what config.json, 1_Pooling/config.json, modules.json and
// sentence_bert_config.json of a model's folder say.
type Config struct {
	Type      string  `json:"model_type"`
	Hidden    int     `json:"hidden_size"`
	Layers    int     `json:"num_hidden_layers"`
	Heads     int     `json:"num_attention_heads"`
	Inner     int     `json:"intermediate_size"`
	Positions int     `json:"max_position_embeddings"`
	Vocab     int     `json:"vocab_size"`
	Types     int     `json:"type_vocab_size"`
	Pad       *int    `json:"pad_token_id"`
	Eps       float32 `json:"layer_norm_eps"`
	Act       string  `json:"hidden_act"`
	Relative  string  `json:"position_embedding_type"`

	// DistilBERT has its own names.
	Dim     int    `json:"dim"`
	NLayers int    `json:"n_layers"`
	NHeads  int    `json:"n_heads"`
	HidDim  int    `json:"hidden_dim"`
	Activ   string `json:"activation"`

	MaxTokens int  `json:"-"` // where texts are cut
	CLS       bool `json:"-"` // the first token's vector instead of the mean
	first     int  // number of the first position
	buckets   int  // of MPNet's relative positions
}

// What no encoder of this family exceeds.
const (
	maxHidden = 8192
	maxLayers = 128
	maxTokens = 8192
)

func readConfig(dir string) (*Config, error) {
	c := &Config{Types: 0, Eps: 1e-12}
	if err := readJSON(filepath.Join(dir, "config.json"), c); err != nil {
		return nil, err
	}
	switch c.Type {
	case "bert":
	case "distilbert":
		c.Hidden, c.Layers, c.Heads, c.Inner, c.Act, c.Types = c.Dim, c.NLayers, c.NHeads, c.HidDim, c.Activ, 0
		c.Eps = 1e-12
	case "roberta", "xlm-roberta", "camembert":
		// Positions are counted from behind the padding's number.
		c.first = 2
		if c.Pad != nil {
			c.first = *c.Pad + 1
		}
	default:
		return nil, fmt.Errorf("the model is of type %.40q; bert, distilbert, roberta and xlm-roberta can be run", c.Type)
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	return c, c.readModules(dir)
}

func (c *Config) check() error {
	switch {
	case c.Hidden <= 0 || c.Hidden > maxHidden || c.Inner <= 0 || c.Inner > 8*maxHidden ||
		c.Layers <= 0 || c.Layers > maxLayers || c.Heads <= 0 || c.Hidden%c.Heads != 0 ||
		c.Positions <= c.first || c.first < 0 || c.Vocab <= 0:
		return errors.New("config.json has sizes that no encoder has")
	case c.Relative != "" && c.Relative != "absolute":
		return fmt.Errorf("config.json asks for positions of type %.40q; absolute ones can be run", c.Relative)
	case c.Act != "gelu":
		return fmt.Errorf("config.json asks for the activation %.40q; gelu can be run", c.Act)
	}
	c.MaxTokens = min(c.Positions-c.first, maxTokens)
	return nil
}

// readModules reads what sentence-transformers adds. Each file may be absent:
// then it is the mean, cut where positions end.
func (c *Config) readModules(dir string) error {
	var pooling struct {
		CLS    bool  `json:"pooling_mode_cls_token"`
		Mean   *bool `json:"pooling_mode_mean_tokens"`
		Max    bool  `json:"pooling_mode_max_tokens"`
		Root   bool  `json:"pooling_mode_mean_sqrt_len_tokens"`
		Weight bool  `json:"pooling_mode_weightedmean_tokens"`
		Last   bool  `json:"pooling_mode_lasttoken"`
	}
	if err := readOptional(filepath.Join(dir, "1_Pooling", "config.json"), &pooling); err != nil {
		return err
	}
	mean := pooling.Mean == nil && !pooling.CLS || pooling.Mean != nil && *pooling.Mean
	if pooling.Max || pooling.Root || pooling.Weight || pooling.Last || mean == pooling.CLS {
		return errors.New("1_Pooling/config.json asks for a way of pooling other than mean or cls")
	}
	c.CLS = pooling.CLS
	var modules []struct {
		Path string `json:"path"`
		Type string `json:"type"`
	}
	if err := readOptional(filepath.Join(dir, "modules.json"), &modules); err != nil {
		return err
	}
	for _, m := range modules {
		switch filepath.Ext(m.Type) {
		case ".Transformer", ".Pooling", ".Normalize":
		default:
			return fmt.Errorf("modules.json asks for the step %.60q; an encoder, pooling and normalising can be run", m.Type)
		}
	}
	var sentence struct {
		Max int `json:"max_seq_length"`
	}
	if err := readOptional(filepath.Join(dir, "sentence_bert_config.json"), &sentence); err != nil {
		return err
	}
	if sentence.Max > 0 {
		c.MaxTokens = min(c.MaxTokens, sentence.Max)
	}
	return nil
}

func readJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s cannot be read: %w", filepath.Base(path), err)
	}
	return nil
}

func readOptional(path string, v any) error {
	err := readJSON(path, v)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
