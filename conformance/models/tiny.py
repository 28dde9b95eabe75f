"""A model whose answer is known, in the format that llama.cpp reads.

The weights are written by hand: each token is a direction of its own, attention and the layer behind it add nothing,
and the output leads from each token to one other. So the model always says the same, and everything around it is the
real thing: the tokens (an emoji comes in four of them), the chat template, the grammar of calls, the wire.
"""

import gguf
import numpy as np

# More tokens than the fewest that may be asked for, which are 16.
ANSWER = ["Hello", " from", " a", " tiny", " model", ",", " 日本", "語", *(f"<0x{byte:02X}>" for byte in "🙂".encode()), "!"]
ANSWER += [" It", " says", " this", " to", " everybody", "."]
CALL = ["<tool_call>", '\n{"name": "light", "arguments": ', '{"on": ', "true}}", "\n</tool_call>"]
# The template puts the last one in front of an answer that shall be a call.
CONTROL = ["<|im_start|>", "<|im_end|>", "<|act|>"]
CONTEXT = 4096
WIDTH = 512
SURE = 8.0


def spelled(text):
    return text.replace(" ", "\u2581")


def write(path, template):
    words = [spelled(word) for word in ANSWER + CALL if not word.startswith("<0x")]
    letters = [chr(code) for code in range(33, 127)] + ["\u2581"]
    normal = list(dict.fromkeys(words + letters))
    tokens = ["<unk>", *CONTROL, *(f"<0x{byte:02X}>" for byte in range(256)), *normal]
    kind = gguf.TokenType
    kinds = [kind.UNKNOWN] + [kind.CONTROL] * len(CONTROL) + [kind.BYTE] * 256 + [kind.NORMAL] * len(normal)
    at = {token: place for place, token in enumerate(tokens)}

    file = gguf.GGUFWriter(path, "llama")
    file.add_name("tiny")
    file.add_context_length(CONTEXT)
    file.add_embedding_length(WIDTH)
    file.add_block_count(1)
    file.add_feed_forward_length(32)
    file.add_head_count(8)
    file.add_head_count_kv(8)
    file.add_rope_dimension_count(WIDTH // 8)
    file.add_layer_norm_rms_eps(1e-5)
    file.add_vocab_size(len(tokens))
    file.add_file_type(gguf.LlamaFileType.ALL_F32)
    file.add_tokenizer_model("llama")
    file.add_token_list(tokens)
    file.add_token_types(kinds)
    file.add_token_scores([0.0] * (len(tokens) - len(normal)) + [-float(place) for place in range(len(normal))])
    file.add_bos_token_id(at["<|im_start|>"])
    file.add_eos_token_id(at["<|im_end|>"])
    file.add_unk_token_id(0)
    file.add_add_bos_token(False)
    file.add_add_space_prefix(False)
    file.add_chat_template(template)

    def tensor(name, *shape):
        values = np.zeros(shape, np.float32)
        file.add_tensor(name, values)
        return values

    tensor("token_embd.weight", len(tokens), WIDTH)[:, : len(tokens)] = np.eye(len(tokens))
    output = tensor("output.weight", len(tokens), WIDTH)
    for first, way in (("<0x0A>", ANSWER), ("<|act|>", CALL)):
        way = [at[first], *(at[spelled(word)] for word in way), at["<|im_end|>"]]
        for token, following in zip(way, way[1:]):
            output[following, token] = SURE
    tensor("output_norm.weight", WIDTH)[:] = 1
    for name in ("attn_norm", "ffn_norm"):
        tensor(f"blk.0.{name}.weight", WIDTH)[:] = 1
    for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
        tensor(f"blk.0.{name}.weight", WIDTH, WIDTH)
    for name in ("ffn_gate", "ffn_up"):
        tensor(f"blk.0.{name}.weight", 32, WIDTH)
    tensor("blk.0.ffn_down.weight", WIDTH, 32)
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()
