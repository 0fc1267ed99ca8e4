"""The same model in ONNX Runtime, from the same files: the peer of tests and benchmarks.

    onnx_peer.py tokens MODEL        texts (a JSON array on standard input) -> tokens of each
    onnx_peer.py vectors MODEL       texts -> one vector each
    onnx_peer.py speed MODEL THREADS texts -> seconds per pass over all of them, as one batch

The graph is written here, with standard operators, from the weights in MODEL; ONNX Runtime
optimises it as it does any other. Needs numpy, onnx, onnxruntime, safetensors, tokenizers.
"""

import json
import os
import sys
import tempfile
import time

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file
from tokenizers import Tokenizer

TOKENS_MAX = 256


class Graph:
    def __init__(self, folder):
        self.weights = load_file(os.path.join(folder, "model.safetensors"))
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
            self.config = json.load(file)
        self.nodes, self.constants, self.names = [], [], set()

    def constant(self, name, value):
        if name not in self.names:
            self.names.add(name)
            self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def weight(self, name):
        return self.constant(name, self.weights[name])

    def ints(self, *values):
        return self.constant("ints_" + "_".join(map(str, values)), np.array(values, np.int64))

    def op(self, kind, *inputs, out=None, **attributes):
        out = out or f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [out], **attributes))
        return out

    def dense(self, x, name):
        matrix = self.constant(name + ".turned", self.weights[name + ".weight"].T)
        return self.op("Add", self.op("MatMul", x, matrix), self.weight(name + ".bias"))

    def norm(self, x, name):
        epsilon = self.config["layer_norm_eps"]
        scale, shift = self.weight(name + ".weight"), self.weight(name + ".bias")
        return self.op("LayerNormalization", x, scale, shift, epsilon=epsilon, axis=-1)

    def embeddings(self):
        length = self.op("Gather", self.op("Shape", "input_ids"), self.ints(1))
        zero = self.ints(0)
        table = self.weight("embeddings.position_embeddings.weight")
        positions = self.op("Slice", table, zero, length, zero)
        kinds = self.weights["embeddings.token_type_embeddings.weight"][0]
        words = self.op("Gather", self.weight("embeddings.word_embeddings.weight"), "input_ids")
        x = self.op("Add", self.op("Add", words, positions), self.constant("kind", kinds))
        return self.norm(x, "embeddings.LayerNorm")

    def attention(self, x, name, bias):
        heads, hidden = self.config["num_attention_heads"], self.config["hidden_size"]
        parts = {}
        for part, order in (("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3])):
            split = self.op(
                "Reshape", self.dense(x, f"{name}.self.{part}"), self.ints(0, 0, heads, hidden // heads)
            )
            parts[part] = self.op("Transpose", split, perm=order)
        scale = self.constant("scale", np.array((hidden // heads) ** -0.5, np.float32))
        scores = self.op("Mul", self.op("MatMul", parts["query"], parts["key"]), scale)
        shares = self.op("Softmax", self.op("Add", scores, bias), axis=-1)
        context = self.op("Transpose", self.op("MatMul", shares, parts["value"]), perm=[0, 2, 1, 3])
        context = self.op("Reshape", context, self.ints(0, 0, hidden))
        out = self.op("Add", self.dense(context, f"{name}.output.dense"), x)
        return self.norm(out, f"{name}.output.LayerNorm")

    def build(self):
        mask = self.op("Cast", "attention_mask", to=TensorProto.FLOAT)
        absent = self.op("Sub", self.constant("one", np.array(1, np.float32)), mask)
        absent = self.op("Unsqueeze", absent, self.ints(1, 2))
        bias = self.op("Mul", absent, self.constant("minus", np.array(-1e9, np.float32)))
        x = self.embeddings()
        for layer in range(self.config["num_hidden_layers"]):
            name = f"encoder.layer.{layer}"
            x = self.attention(x, f"{name}.attention", bias)
            middle = self.op("Gelu", self.dense(x, f"{name}.intermediate.dense"))
            x = self.op("Add", self.dense(middle, f"{name}.output.dense"), x)
            x = self.norm(x, f"{name}.output.LayerNorm")
        present = self.op("Unsqueeze", mask, self.ints(2))
        total = self.op("ReduceSum", self.op("Mul", x, present), self.ints(1), keepdims=0)
        mean = self.op("Div", total, self.op("ReduceSum", present, self.ints(1), keepdims=0))
        length = self.op("ReduceL2", mean, self.ints(1), keepdims=1)
        self.op("Div", mean, length, out="vectors")
        inputs = [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["texts", "tokens"])
            for name in ("input_ids", "attention_mask")
        ]
        output = helper.make_tensor_value_info(
            "vectors", TensorProto.FLOAT, ["texts", self.config["hidden_size"]]
        )
        graph = helper.make_graph(self.nodes, "encoder", inputs, [output], self.constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def session(folder, threads):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.inter_op_num_threads = 1
    options.intra_op_num_threads = threads
    with tempfile.TemporaryDirectory() as place:
        path = os.path.join(place, "model.onnx")
        onnx.save(Graph(folder).build(), path)
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def tokenizer(folder):
    tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(TOKENS_MAX)
    return tokenizer


def tokens_of(folder, texts):
    return [encoding.ids for encoding in tokenizer(folder).encode_batch(texts)]


def vectors(folder, texts):
    encoder = session(folder, 0)
    found = []
    for tokens in tokens_of(folder, texts):
        ids = np.array([tokens], np.int64)
        feed = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        found.append(encoder.run(None, feed)[0][0].tolist())
    return found


def speed(folder, threads, texts):
    """Answers each line on standard input with the seconds of one pass, tokenising included."""
    encoder, cutter = session(folder, threads), tokenizer(folder)
    cutter.enable_padding()
    print("ready", flush=True)
    for _ in sys.stdin:
        started = time.perf_counter()
        encodings = cutter.encode_batch(texts)
        ids = np.array([encoding.ids for encoding in encodings], np.int64)
        mask = np.array([encoding.attention_mask for encoding in encodings], np.int64)
        encoder.run(None, {"input_ids": ids, "attention_mask": mask})
        print(time.perf_counter() - started, flush=True)


def main():
    job, folder = sys.argv[1:3]
    texts = json.loads(sys.stdin.readline())
    if job == "speed":
        speed(folder, int(sys.argv[3]), texts)
    else:
        json.dump({"tokens": tokens_of, "vectors": vectors}[job](folder, texts), sys.stdout)


main()
