"""Writes what the tests of internal/retrieval/embed compare with: numbers and
vectors that the reference implementations give.

    python3 -m venv v && v/bin/pip install torch sentence-transformers sentencepiece
    v/bin/python scripts/embed-fixtures.py

The model of .cache/testenv/models is used where a real one is needed; the
others are tiny, of random weights, made here. Texts are made here as well.
"""

import base64
import gzip
import io
import json
import random
import shutil
import tempfile
import unicodedata
import zlib
from pathlib import Path

import numpy as np
import sentencepiece
import torch
import transformers
from sentence_transformers import SentenceTransformer
from tokenizers import (Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers)

ROOT = Path(__file__).resolve().parent.parent
REAL = ROOT / ".cache" / "testenv" / "models" / "all-MiniLM-L6-v2"
OUT = ROOT / "internal" / "retrieval" / "embed" / "testdata"

SENTENCES = """The server keeps the files of each user in a folder of its own and checks them when they are read.
Whoever wants to change the port sets PORTICO_PORT=8080, restarts the service and looks into the log.
In the spring the river rises above the meadows, and the mill at its bank has to stand still for weeks.
O servidor não respondeu a tempo; verifique a ligação à rede e tente de novo amanhã às 9h30.
A manutenção do veículo é da responsabilidade do condutor, salvo indicação em contrário.
Die Größe der Datei überschreitet die zulässige Höchstgrenze von 25 MiB.
L'été dernier, nous avons traversé la forêt à pied jusqu'à la mer.
El niño preguntó por qué el cielo es azul, y nadie supo contestarle.
東京は日本の首都であり、世界最大級の都市の一つである。
今天天气很好，我们去公园散步吧。
서울은 대한민국의 수도이자 가장 큰 도시이다.
Быстрая коричневая лиса перепрыгивает через ленивую собаку.
الكتاب على الطاولة بجانب النافذة المفتوحة.
नमस्ते दुनिया, आज मौसम बहुत अच्छा है।
Η γρήγορη καφέ αλεπού πηδάει πάνω από το τεμπέλικο σκυλί.
func (s *Server) ListenAndServe(addr string) error { return s.run(addr, nil) }
| name | size | changed |\n| a.txt | 12 KB | 2024-05-01 |
Error E4021: connection refused (errno=111) at 10.0.0.7:5432 after 3 retries.
SELECT id, name FROM users WHERE email LIKE '%@example.com' ORDER BY created_at DESC;
Nine of ten customers came back within a year; the others named the price and the long delivery.""".split("\n")

ODD = ["", " ", "\n\n", "a", "[SEP]", "x [MASK] y[CLS]z", "<s> a </s>", "don't stop", "x" * 99, "x" * 100, "x" * 101,
       "é" * 101, "naïve café", "cafe\u0301", "ｆｕｌｌｗｉｄｔｈ １２３", "e\u0301\u0302\u0303", "ｅ\u0301", "ﬁne ﬂow", "½ ²", "\u0130stanbul",
       "ẞ ß", "a\u200bb\u200db\ufeffc", "tab\tcr\rlf\nff\fvt\vnul\0bell\a", "\r\n\r\nx", "a\u00a0b\u3000c\u2028d", "👩‍👩‍👧‍👦 🇵🇹 👍🏽",
       "한국어 각 ㅎㅏㄴ", "𠀀𪚥 𫝀", "。、！？「」", "--__--", "$1,234.56", "https://example.com/a?b=c&d=%20", "ΑΣ ΑΣΑ", "ǅ ǆ", "▁a ▁ b", "a▁b",
       "  two  spaces   three ", "ﷺ", "\u0600a", "ﾊﾞ ｶﾞ", "각", "\u1734\u166d", "\u0378", "\ue000", "�"]


def varied(count: int, seed: int) -> list[str]:
    """Strings of many kinds; the same for the same seed."""
    r = random.Random(seed)
    ranges = [(0x20, 0x7e), (0xa0, 0x24f), (0x300, 0x36f), (0x370, 0x52f), (0x590, 0x6ff), (0x900, 0xdff), (0xe00, 0xfff),
              (0x1e00, 0x1fff), (0x2000, 0x2bff), (0x3000, 0x30ff), (0x4e00, 0x9fff), (0xac00, 0xd7a3), (0xf900, 0xfaff),
              (0xfb00, 0xfdff), (0xff00, 0xffef), (0x1f300, 0x1faff), (0x10000, 0x1ffff)]
    out = list(ODD)
    while len(out) < count:
        kind = r.random()
        if kind < 0.4:  # a window of a sentence, sometimes shouted, sometimes decomposed
            s = r.choice(SENTENCES)
            a = r.randrange(len(s))
            s = s[a:a + r.randrange(1, 60)]
            s = r.choice([s, s, s.upper(), unicodedata.normalize("NFD", s)])
        elif kind < 0.6:  # two windows with something between
            s = "".join(r.choice(SENTENCES)[:r.randrange(30)] + r.choice(["", " ", "\t", "  ", "\u00a0", "[SEP]", "\u200d", "-"]) for _ in range(2))
        else:  # one block, with spaces
            a, b = r.choice(ranges)
            c = [chr(r.randrange(a, b + 1)) for _ in range(r.randrange(1, 16))]
            s = "".join(x + (" " if r.random() < 0.2 else "") for x in c if unicodedata.category(x) not in ("Cn", "Cs"))
        out.append(s)
    return out


def crc(ids: list[int]) -> int:
    return zlib.crc32(np.array(ids, dtype="<i4").tobytes())


def packed(v: np.ndarray) -> str:
    """A vector in 8 bits: its direction is kept to a cosine of 0.9999."""
    return base64.b64encode(np.round(v / np.abs(v).max() * 127).astype(np.int8).tobytes()).decode()


def write_gz(path: Path, value) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    body = io.BytesIO()
    with gzip.GzipFile(fileobj=body, mode="wb", mtime=0) as f:
        f.write(json.dumps(value, ensure_ascii=True).encode())
    path.write_bytes(body.getvalue())


def plain(t: Tokenizer) -> Tokenizer:
    t.no_padding()
    t.no_truncation()
    return t


def real() -> None:
    t = plain(Tokenizer.from_file(str(REAL / "tokenizer.json")))
    texts = varied(3000, 1)
    m = SentenceTransformer(str(REAL), device="cpu")
    r = random.Random(2)
    embedded = ODD + SENTENCES + [" ".join(r.choice(SENTENCES) for _ in range(r.randrange(1, 16)))[:r.randrange(20, 1800)] for _ in range(150)]
    vectors = m.encode([s.replace("\n", " ") for s in embedded], batch_size=16, normalize_embeddings=True)
    write_gz(OUT / "minilm.json.gz", {
        "tokens": [[s, crc(t.encode(s).ids)] for s in texts],
        "vectors": [[s, packed(v)] for s, v in zip(embedded, vectors)],
    })


def rules() -> dict[str, str]:
    """A small part of NFKC, for a table of characters of some kilobytes."""
    out = {"\t": " ", "\n": " ", "\r": " ", "\u00a0": " ", "\u3000": " ", "\u200b": "", "\x00": ""}
    for a, b in [(0xa0, 0x17f), (0x1e00, 0x1e7f), (0x2100, 0x214f), (0xfb00, 0xfb06), (0xff00, 0xffdc)]:
        for c in range(a, b + 1):
            n, d = unicodedata.normalize("NFKC", chr(c)), unicodedata.normalize("NFD", chr(c))
            if n != chr(c):
                out[chr(c)] = n
            if d != chr(c) and len(d) == 2:
                out[d] = n
    del out["\x00"]
    return out


def unigram(charsmap_rule: str | None) -> Tokenizer:
    with tempfile.TemporaryDirectory() as d:
        corpus, table = Path(d) / "c.txt", Path(d) / "r.tsv"
        corpus.write_text("\n".join(SENTENCES * 3))
        table.write_text("".join(f"{' '.join(f'{ord(c):X}' for c in k)}\t{' '.join(f'{ord(c):X}' for c in v)}\n" for k, v in rules().items()))
        how = {"normalization_rule_name": charsmap_rule} if charsmap_rule else {"normalization_rule_tsv": str(table)}
        sentencepiece.SentencePieceTrainer.train(input=str(corpus), model_prefix=str(Path(d) / "m"), vocab_size=340, model_type="unigram",
                                                 character_coverage=0.98, num_threads=1, minloglevel=2, **how)
        from sentencepiece import sentencepiece_model_pb2 as pb
        proto = pb.ModelProto()
        proto.ParseFromString((Path(d) / "m.model").read_bytes())
    pieces = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)] + [(p.piece, p.score) for p in proto.pieces[3:]] + [("<mask>", 0.0)]
    t = Tokenizer(models.Unigram(pieces, 3, False))
    t.normalizer = normalizers.Sequence([normalizers.Precompiled(proto.normalizer_spec.precompiled_charsmap),
                                         normalizers.Strip(left=False, right=True), normalizers.Replace(Regex(" {2,}"), "▁")])
    t.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    t.decoder = decoders.Metaspace()
    t.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    t.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    return t


def wordpiece() -> Tokenizer:
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.train_from_iterator(SENTENCES, trainers.WordPieceTrainer(vocab_size=420, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]))
    t.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return t


def tiny(name: str, t: Tokenizer, config, dtype, cls: bool, texts: list[str]) -> None:
    torch.manual_seed(7)
    d = OUT / name
    shutil.rmtree(d, ignore_errors=True)
    config.vocab_size = t.get_vocab_size()
    m = transformers.AutoModel.from_config(config).eval()
    with torch.no_grad():
        for p in m.parameters():
            p.copy_(torch.randn_like(p) * 0.3)
    m = m.to(dtype)
    m.save_pretrained(d, safe_serialization=True)
    t.save(str(d / "tokenizer.json"), pretty=False)
    (d / "1_Pooling").mkdir()
    (d / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": 16, "pooling_mode_cls_token": cls, "pooling_mode_mean_tokens": not cls}))
    m = m.float()
    vectors = []
    for s in texts:
        ids = torch.tensor([t.encode(s).ids])
        with torch.no_grad():
            x = m(ids).last_hidden_state[0]
        v = x[0] if cls else x.mean(0)
        vectors.append([s, [round(float(f), 6) for f in v / v.norm()]])
    (d / "vectors.json").write_text(json.dumps(vectors, ensure_ascii=False))
    write_gz(d / "tokens.json.gz", [[s, crc(t.encode(s).ids)] for s in varied(600, 3)])


def main() -> None:
    real()
    texts = SENTENCES[:12] + ["a", "ｅ\u0301 ﬁne"]
    size = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 40, "max_position_embeddings": 140}
    word, uni = wordpiece(), unigram(None)
    tiny("bert", word, transformers.BertConfig(**size), torch.float32, False, texts)
    tiny("distilbert", word, transformers.DistilBertConfig(dim=16, n_layers=2, n_heads=2, hidden_dim=40, max_position_embeddings=140), torch.float16, True, texts)
    tiny("xlmroberta", uni, transformers.XLMRobertaConfig(type_vocab_size=1, pad_token_id=1, **size), torch.bfloat16, False, texts)


if __name__ == "__main__":
    main()
