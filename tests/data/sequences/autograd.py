"""Reverse-mode differentiation of a few numpy operations: as much as train.py needs."""

import math

import numpy as np

ERF = np.vectorize(math.erf, otypes=[np.float32])


class Value:
    """An array, what it was computed from, and the gradient of the loss with respect to it."""

    def __init__(self, data, parents=(), backward=None):
        self.data = np.asarray(data, np.float32)
        self.parents = parents
        self.backward = backward  # gradient of the result -> gradients of the parents
        self.gradient = None

    def __add__(self, other):
        return binary(self, other, lambda a, b: a + b, lambda g, a, b: (g, g))

    def __sub__(self, other):
        return binary(self, other, lambda a, b: a - b, lambda g, a, b: (g, -g))

    def __mul__(self, other):
        return binary(self, other, lambda a, b: a * b, lambda g, a, b: (g * b, g * a))

    def __matmul__(self, other):
        def backward(g):
            return (unbroadcast(g @ np.swapaxes(other.data, -1, -2), self.data.shape),
                    unbroadcast(np.swapaxes(self.data, -1, -2) @ g, other.data.shape))
        return Value(self.data @ other.data, (self, other), backward)

    def reshape(self, *shape):
        return Value(self.data.reshape(shape), (self,), lambda g: (g.reshape(self.data.shape),))

    def transpose(self, *axes):
        return Value(self.data.transpose(axes), (self,), lambda g: (g.transpose(np.argsort(axes)),))

    def mean(self, axis):
        count = self.data.shape[axis]
        return Value(self.data.mean(axis), (self,),
                     lambda g: (np.repeat(np.expand_dims(g, axis), count, axis) / count,))

    def columns(self, begin, end):
        def backward(g):
            whole = np.zeros_like(self.data)
            whole[..., begin:end] = g
            return (whole,)
        return Value(self.data[..., begin:end], (self,), backward)


def unbroadcast(gradient, shape):
    gradient = gradient.sum(axis=tuple(range(gradient.ndim - len(shape))))
    kept = tuple(i for i, d in enumerate(shape) if d == 1 and gradient.shape[i] != 1)
    return gradient.sum(axis=kept, keepdims=True) if kept else gradient


def binary(a, b, compute, differentiate):
    b = b if isinstance(b, Value) else Value(b)

    def backward(g):
        of_a, of_b = differentiate(g, a.data, b.data)
        return unbroadcast(of_a, a.data.shape), unbroadcast(of_b, b.data.shape)
    return Value(compute(a.data, b.data), (a, b), backward)


def softmax(x):
    e = np.exp(x.data - x.data.max(-1, keepdims=True))
    y = e / e.sum(-1, keepdims=True)
    return Value(y, (x,), lambda g: (y * (g - (g * y).sum(-1, keepdims=True)),))


def tanh(x):
    y = np.tanh(x.data)
    return Value(y, (x,), lambda g: (g * (1 - y * y),))


def sigmoid(x):
    y = 1 / (1 + np.exp(-x.data))
    return Value(y, (x,), lambda g: (g * y * (1 - y),))


def gelu(x):
    cdf = 0.5 * (1 + ERF(x.data / math.sqrt(2)))
    density = np.exp(-0.5 * x.data ** 2) / math.sqrt(2 * math.pi)
    return Value(x.data * cdf, (x,), lambda g: (g * (cdf + x.data * density),))


def layer_norm(x, scale, bias, epsilon=1e-5):
    deviation = np.sqrt(x.data.var(-1, keepdims=True) + epsilon)
    normal = (x.data - x.data.mean(-1, keepdims=True)) / deviation

    def backward(g):
        of_normal = g * scale.data
        of_x = (of_normal - of_normal.mean(-1, keepdims=True)
                - normal * (of_normal * normal).mean(-1, keepdims=True)) / deviation
        return of_x, unbroadcast(g * normal, scale.data.shape), unbroadcast(g, bias.data.shape)
    return Value(normal * scale.data + bias.data, (x, scale, bias), backward)


def cross_entropy(logits, labels):
    """The mean loss, whose gradient starts Backward."""
    shifted = logits.data - logits.data.max(-1, keepdims=True)
    log_probability = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    rows = np.arange(len(labels))

    def backward(g):
        gradient = np.exp(log_probability)
        gradient[rows, labels] -= 1
        return (g * gradient / len(labels),)
    return Value(-log_probability[rows, labels].mean(), (logits,), backward)


def differentiate(loss):
    """Fills in the gradients of everything the loss was computed from."""
    order, seen, stack = [], set(), [(loss, False)]
    while stack:
        value, done = stack.pop()
        if done:
            order.append(value)
        elif id(value) not in seen:
            seen.add(id(value))
            stack.append((value, True))
            stack.extend((parent, False) for parent in value.parents)
    for value in order:
        value.gradient = None
    loss.gradient = np.ones_like(loss.data)
    for value in reversed(order):
        if value.backward is None or value.gradient is None:
            continue
        for parent, gradient in zip(value.parents, value.backward(value.gradient)):
            parent.gradient = gradient if parent.gradient is None else parent.gradient + gradient


class Adam:
    """Kingma and Ba 2015, with decoupled decay of weights."""

    def __init__(self, parameters, rate, decay=0.01):
        self.parameters, self.rate, self.decay = parameters, rate, decay
        self.first = [np.zeros_like(p.data) for p in parameters]
        self.second = [np.zeros_like(p.data) for p in parameters]
        self.steps = 0

    def step(self, rate_share):
        self.steps += 1
        rate = self.rate * rate_share
        for p, m, v in zip(self.parameters, self.first, self.second):
            m += 0.1 * (p.gradient - m)
            v += 0.001 * (p.gradient ** 2 - v)
            m_hat, v_hat = m / (1 - 0.9 ** self.steps), v / (1 - 0.999 ** self.steps)
            if p.data.ndim > 1:
                p.data -= rate * self.decay * p.data
            p.data -= rate * m_hat / (np.sqrt(v_hat) + 1e-8)
