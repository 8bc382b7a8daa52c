"""Writes tests/goldens/captions/*.json: what CoCa.generate of open_clip answers for generated models.

    python tools/goldens/captions_golden.py

open_clip 3.3 takes BeamSearchScorer from transformers, which version 5 no longer has. The one below follows what
transformers 4 (4.38 to 4.56) documents and does for group beam search without diversity penalty: each group keeps its own
list of finished hypotheses, scored by summed scores over length (end of text counted), and ends when the worst of a full
list is no worse than the best open beam could become at its present length.
"""
import copy
import json
import pathlib

import torch
import transformers
from oracle import open_clip
from open_clip import coca_model

import model_goldens as goldens
import model_shapes as shapes
from model_goldens import SEED, generated


class Scorer:
    def __init__(self, batch_size, num_beams, device, num_beam_groups):
        assert batch_size == 1
        self.num_beams, self.num_beam_groups = num_beams, num_beam_groups
        self.size = num_beams // num_beam_groups
        self.finished = [[] for _ in range(num_beam_groups)]
        self.worst = [1e9] * num_beam_groups
        self.done = [False] * num_beam_groups
        self._beam_hyps = self.finished

    @property
    def is_done(self):
        return all(self.done)

    def add(self, group, ids, total, length):
        kept = self.finished[group]
        score = total / length
        if len(kept) < self.size or score > self.worst[group]:
            kept.append((score, ids))
            if len(kept) > self.size:
                order = sorted(range(len(kept)), key=lambda i: (kept[i][0], i))
                self.worst[group] = kept[order[1]][0]
                del kept[order[0]]
            else:
                self.worst[group] = min(score, self.worst[group])

    def process(self, ids, scores, tokens, indices, pad_token_id, eos_token_id, beam_indices, group_index):
        g, length = group_index, ids.shape[1] + 1
        next_scores, next_tokens, next_beams = torch.zeros(self.size), torch.full((self.size,), pad_token_id), torch.zeros(
            self.size, dtype=torch.long)
        if not self.done[g]:
            at = 0
            for rank in range(scores.shape[1]):
                token, score, beam = int(tokens[0, rank]), scores[0, rank], int(indices[0, rank])
                if token == int(eos_token_id):
                    if rank < self.size:
                        self.add(g, ids[beam].clone(), score.item(), length)
                    continue
                next_scores[at], next_tokens[at], next_beams[at] = score, token, beam
                at += 1
                if at == self.size:
                    break
            full = len(self.finished[g]) == self.size
            self.done[g] = full and self.worst[g] >= scores.max().item() / length
        return {"next_beam_scores": next_scores, "next_beam_tokens": next_tokens, "next_beam_indices": next_beams}

    def finalize(self, ids, scores, *_, pad_token_id, eos_token_id, max_length, beam_indices):
        for g in range(self.num_beam_groups):
            for i in range(g * self.size, (g + 1) * self.size):
                if not self.done[g]:
                    self.add(g, ids[i], scores[i].item(), ids.shape[1])
        best = sorted((h for group in self.finished for h in group), key=lambda h: h[0])[-1][1]
        best = best[: max_length]
        if len(best) < max_length:
            best = torch.cat([best, torch.tensor([int(eos_token_id)])])
        return {"sequences": best[None]}


for name in ("LogitsProcessorList", "TopPLogitsWarper", "TopKLogitsWarper", "RepetitionPenaltyLogitsProcessor",
             "MinLengthLogitsProcessor", "MaxLengthCriteria", "StoppingCriteriaList"):
    setattr(coca_model, name, getattr(transformers, name))
coca_model.GENERATION_TYPES.update(top_k=transformers.TopKLogitsWarper, top_p=transformers.TopPLogitsWarper)
coca_model.BeamSearchScorer = Scorer
coca_model._has_transformers = True

START, END = 598, 599
# Ends of text are ids that these models like to say: beams end early, late and not at all.
BEAMS = [{}, {"num_beams": 4, "num_beam_groups": 1}, {"num_beams": 2, "num_beam_groups": 2, "seq_len": 12, "min_seq_len": 3},
         {"eos_token_id": 467}, {"eos_token_id": 191, "num_beams": 5, "num_beam_groups": 1, "min_seq_len": 9},
         {"eos_token_id": 293, "num_beams": 3, "num_beam_groups": 1, "min_seq_len": 1, "repetition_penalty": 1.5},
         {"repetition_penalty": 1.2, "num_beams": 4, "num_beam_groups": 2}, {"num_beams": 1, "num_beam_groups": 1}]


def main():
    folder = pathlib.Path(__file__).parents[2] / "tests/goldens/captions"
    folder.mkdir(parents=True, exist_ok=True)
    tool = f"open_clip {open_clip.__version__}, torch {torch.__version__}, transformers {transformers.__version__} (beam scorer: see the script)"
    configs = {
        "tiny-coca": {**shapes.COCA, "text_cfg": {**shapes.COCA["text_cfg"], "context_length": 32},
                      "multimodal_cfg": {**shapes.COCA["multimodal_cfg"], "context_length": 32}},
    }
    configs["tiny-coca-no-pooler"] = {**configs["tiny-coca"], "vision_cfg": shapes.CONFIGS["tiny-coca-no-pooler"]["vision_cfg"]}
    for name, config in configs.items():
        model = shapes.build(config)
        images, _ = goldens.inputs(config)
        exact = copy.deepcopy(model).double()
        out = []
        for options in BEAMS:
            for i in range(len(images)):
                ids = [m.generate(images[i : i + 1].to(p), **{"sot_token_id": START, "eos_token_id": END, "pad_token_id": 0,
                                                              "max_seq_len": 32, **options})[0].tolist()
                       for m, p in ((model, torch.float32), (exact, torch.float64))]
                assert ids[0] == ids[1], "float32 and float64 choose differently: not a golden"
                out.append({"picture": i, **options, "ids": ids[0]})
                print(name, options, ids[0])
        prefix = [START, 5, 17, 300]
        with torch.no_grad():
            logits = model(images[:1], torch.tensor([prefix]), output_labels=False)["logits"][0, -1]
        filters = []
        for minimum, k, p, t in [(5, 7, None, 1.0), (3, None, 0.6, 0.7), (1, None, 0.1, 1.0)]:
            ids = torch.tensor([prefix])
            x = transformers.MinLengthLogitsProcessor(minimum, torch.tensor(END))(ids, logits[None].clone())
            x = transformers.TopKLogitsWarper(k)(ids, x) if k else transformers.TopPLogitsWarper(p)(ids, x)
            probabilities = torch.softmax(x / t, -1)[0]
            some = {int(i): float(probabilities[i]) for i in probabilities.nonzero()[:, 0]}
            filters.append({"min_length": minimum, "top_k": k or 0, "top_p": p or 1.0, "temperature": t, "probabilities": some})
        golden = {"tool": tool, "seed": SEED, "config": config, "beams": out, "prefix": prefix,
                  "logits": [round(v, 6) for v in logits.tolist()], "filters": filters}
        (folder / f"{name}.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")


main()
